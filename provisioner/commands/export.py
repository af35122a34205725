"""Command `export`: the stack for CloudFormation or Terraform, or IAM policies. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.flags import Adopt
from provisioner.commands.options import GivenOptions, with_command_options
from provisioner.commands.place import own_region
from provisioner.errors import ProvisionError
from provisioner.export.cloudformation import template
from provisioner.export.policies import Principal, policies
from provisioner.export.terraform import configuration
from provisioner.policies import MANAGED_POLICY_CHARACTERS, Policy, counted_characters
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec, check

ACCOUNT_DIGITS: Final = 12


class ExportFormat(StrEnum):
    """Format of an export."""

    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"
    POLICY = "policy"


@with_command_options
def export(
    given: GivenOptions,
    form: Annotated[ExportFormat, typer.Option("--format", help="What to print, as JSON.")],
    only: Annotated[Principal | None, typer.Option(help="With --format policy: this one.")] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="With --format policy: for this account, without asking AWS.")
    ] = None,
    adopt: Adopt = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead.")] = None,
) -> None:
    """Print what `provision` would make as a CloudFormation template or for Terraform, or the IAM policies of it all.

    The first two fit any account, region and partition; deploy the template with --capabilities CAPABILITY_NAMED_IAM,
    and name Terraform's file *.tf.json. The policies are of one account: the caller's, or --account.
    """
    options = given.based_on(None, given.region or own_region())
    _check_key(options.spec.kms_key, only)
    if form is not ExportFormat.POLICY:
        _refuse("--only", only)
        _refuse("--account", account)
        _write(template(options.spec) if form is ExportFormat.CLOUDFORMATION else configuration(options.spec), out)
        return
    found = policies(options.spec, _stack(options.spec, account), adopt=adopt)
    mine = only is not Principal.KMS_KEY or only in found
    check("--kms-key", options.spec.kms_key, mine, "a key of the stack's account to have its policy")
    for principal in found if only is None else (only,):
        _warn_of_size(principal, found[principal])
    _write(dict(found) if only is None else found[only], out)


def _check_key(key: str | None, only: Principal | None) -> None:
    """Raises `ConfigError`: documents without an account know no alias, and policies without a key no policy of it."""
    known = key is None or ":key/" in key
    check("--kms-key", key, known, f"the key's ARN: `aws kms describe-key --key-id {key}` has it")
    check("--only", only, key is not None or only is not Principal.KMS_KEY, "given with --kms-key to have its policy")


def _stack(spec: ProvisionSpec, account: str | None) -> Stack:
    """Without a call when the account is given. Raises `ConfigError`."""
    clients = Clients(spec.region)
    if account is not None:
        check("--account", account, len(account) == ACCOUNT_DIGITS and account.isdecimal(), "an account's 12 digits")
    return Stack(spec.region, spec.prefix, account or clients.account, clients.partition, clients.dns_suffix)


def _warn_of_size(principal: Principal, policy: Policy) -> None:
    size = counted_characters(policy)
    if size > MANAGED_POLICY_CHARACTERS:
        size_text = f"The policy of the {principal} has {size} characters and a managed policy holds"
        todo = "choose a shorter --s3-prefix, or put it on a role as an inline policy."
        typer.echo(f"{size_text} {MANAGED_POLICY_CHARACTERS}: {todo}", err=True)


def _refuse(flag: str, value: object) -> None:
    if value is not None:
        raise ConfigError(f"{flag} is {value!r}, but a stack has no use for it: give it with --format policy.")


def _write(document: Mapping[Any, object], out: Path | None) -> None:
    text = json.dumps(document, indent=2)
    if out is None:
        print(text)
        return
    try:
        out.write_text(text + "\n")
    except OSError as error:
        raise ProvisionError(f"{out} can't be written ({error.strerror}): name another place with --out.") from error
