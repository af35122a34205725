"""Place of a stack, its region and what is saved of it, where flags leave it open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.options import CommandOptions, GivenOptions
from provisioner.plan.kms_key import usable_key
from provisioner.plan.planner import stack_of
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned, entry_key, load, load_upstream
from provisioner.stack.upstream import UpstreamStack

FALLBACK_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class Place:
    """Stack in the caller's account, its clients, and the options that fit what was saved of it."""

    clients: Clients
    stack: Stack
    options: CommandOptions


def find_place(given: GivenOptions, config: Path, *, reset: bool) -> Place:
    """Place that was asked for. A value that can't work is told before AWS is asked anything.

    Raises `ConfigError`, `ProvisionError` for an unreadable file.
    """
    region = chosen_region(given.region, given.prefix, config)
    before = _saved_by_account(config, region, given.prefix)
    saved = {} if reset else before
    _refuse_hopeless(given, list(saved.values()), region)
    clients = Clients(region)
    stack = stack_of(region, given.prefix, clients)
    options = given.based_on(saved.get(stack.account), region)
    if stack.account in before:
        options = options.keeping_key(before[stack.account].kms_key)
    if options.spec.kms_key is not None:
        options = options.with_key(usable_key(options.spec.kms_key, clients))
    return Place(clients, stack, options)


def _refuse_hopeless(given: GivenOptions, saved: list[Provisioned], region: str) -> None:
    """Raise `ConfigError` for what can't work in any account: which one it is, is not known yet."""
    refusals: list[ConfigError] = []
    for base in (*saved, None):
        try:
            given.based_on(base, region)
        except ConfigError as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


def _saved_by_account(config: Path, region: str, prefix: str) -> dict[str, Provisioned]:
    return {one.account: one for one in load(config).values() if (one.region, one.prefix) == (region, prefix)}


def chosen_region(region: str | None, prefix: str, config: Path) -> str:
    """Region that was given, else that of the only saved stack of the prefix, else boto3's own, else us-east-1.

    Raises `ConfigError`, `ProvisionError` for an unreadable file.
    """
    if region is not None:
        return region
    upstream = load_upstream(config)
    stacks: list[Provisioned | UpstreamStack] = [*load(config).values(), *([upstream] if upstream else [])]
    saved = {one.region for one in stacks if one.prefix == prefix}
    return saved.pop() if len(saved) == 1 else own_region()


def own_region() -> str:
    """Region of boto3's environment: AWS_REGION, AWS_DEFAULT_REGION, the profile's; else us-east-1.

    Raises `ConfigError`.
    """
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        own: str | None = os.environ.get("AWS_REGION") or Session().get_config_variable("region")
    except BotoCoreError as error:
        raise ConfigError(
            f"boto3's own configuration can't be used ({error}): correct AWS_PROFILE or ~/.aws/config, or give "
            "--region."
        ) from error
    return own or FALLBACK_REGION


def saved_elsewhere(stack: Stack, config: Path) -> Iterator[Provisioned | UpstreamStack]:
    """Saved stacks, unless this one is among them: then it was here. Raises `ProvisionError`."""
    place = (stack.account, stack.region, stack.prefix)
    entries, upstream = load(config), load_upstream(config)
    if entry_key(*place) in entries or (upstream is not None and upstream.is_of(*place)):
        return
    yield from entries.values()
    if upstream is not None:
        yield upstream
