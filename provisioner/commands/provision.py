"""Command `provision`: build the image unless one is given, plan, ask, apply, and save after every step."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import typer

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.common import claims_of, errors_as_json, interruptible, only_run, print_line, require_consent
from provisioner.commands.flags import Adopt, ConfigFile, EndJobs, EnvFile, Json, Reduce, RefreshAmi, Reset, Yes
from provisioner.commands.image import built_image, image_reporter, known_image
from provisioner.commands.json_output import plan_event, progress_event
from provisioner.commands.options import CONFIG_FILE, ENV_FILE, GivenOptions, with_command_options
from provisioner.commands.place import Place, chosen_region, find_place
from provisioner.commands.printing import console, print_plan
from provisioner.commands.progress_table import ProgressTable
from provisioner.json_schema import DoneEvent
from provisioner.plan.executor import PlanExecutor, Progress
from provisioner.plan.model import Plan
from provisioner.plan.planner import Claims, plan_provision
from provisioner.plan.reductions import reductions
from provisioner.plan.remote import RemoteState
from provisioner.stack.checkpoint import Checkpoint
from provisioner.stack.naming import Stack
from provisioner.stack.private_files import require_writable
from provisioner.stack.saved_state import Provisioned, entry_key, load
from provisioner.stack.spec import ProvisionSpec, check_place

RESUME_HINT: Final = "what was made so far is noted. Run this again to go on, or cleanup to take it back."


@with_command_options
def provision(
    given: GivenOptions,
    yes: Yes = False,
    reduce: Reduce = False,
    end_jobs: EndJobs = False,
    refresh_ami: RefreshAmi = False,
    adopt: Adopt = False,
    reset: Reset = False,
    as_json: Json = False,
    config: ConfigFile = CONFIG_FILE,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Make the AWS resources of a worker manager: create what is missing, change what differs.

    Run again, it goes on where it stopped, and then changes nothing. What isn't given is as it was chosen before.

    For tests and development: production should come from your organization's
    own infrastructure as code, for which `export` gives a template and policies.
    """
    with errors_as_json(as_json), interruptible(RESUME_HINT):
        files = _Files(config, env_file)
        check_place(region := chosen_region(given.region, given.prefix, config), given.prefix)
        with only_run(region, given.prefix, config):
            place = find_place(given, config, reset=reset)
            consent = _Consent(yes, reduce, end_jobs, refresh_ami)
            _provision(place, claims_of(place.stack, config, adopt=adopt), files, consent, as_json=as_json)


class _Files:
    def __init__(self, config: Path, env_file: Path) -> None:
        """Raises `ProvisionError` for what could not be written at the end."""
        self.config = config
        self.env_file = env_file
        for path in (config, env_file):
            require_writable(path)

    def begun(self, stack: Stack) -> tuple[str, ...]:
        entry = load(self.config).get(entry_key(stack.account, stack.region, stack.prefix))
        return entry.begun if entry else ()


@dataclass(frozen=True, slots=True)
class _Consent:
    yes: bool
    reduce: bool
    end_jobs: bool
    refresh_ami: bool

    def require(self, plan: Plan) -> None:
        """Raises `ConfigError` without a terminal to ask on, `typer.Abort` for a no."""
        if plan.ended_jobs and not self.end_jobs:
            raise ConfigError(
                f"Up to {plan.ended_jobs} jobs would end: wait until they have ended, or give --end-jobs."
            )
        taken = reductions(plan)
        if taken and not self.reduce and not sys.stdin.isatty():
            raise ConfigError(f"{' '.join(taken)} Give --reduce to have that, or leave the choice as it was.")
        if plan:
            require_consent(" ".join((*taken, "Do this?")), yes=self.yes and (self.reduce or not taken))


def _provision(place: Place, claims: Claims, files: _Files, consent: _Consent, *, as_json: bool) -> None:
    options, clients, stack = place.options, place.clients, place.stack
    image = known_image(options, clients, stack)
    plan = _planned(options.with_image(image), clients, stack, claims, consent)
    _show(plan.with_notes(options.notes), stack, as_json=as_json)
    consent.require(plan)
    checkpoint = Checkpoint(
        Provisioned.of(options.with_image(image), stack), files.config, files.env_file, files.begun(stack)
    )
    if image is None:
        image = built_image(
            options, clients, stack, claims, image_reporter(console(), as_json=as_json), checkpoint.record
        )
        checkpoint.set_image(image)
        plan = _planned(options.with_image(image), clients, stack, claims, consent)
    spec = options.with_image(image)

    def replan() -> Plan:
        return _planned(spec, clients, stack, replace(claims, begun=claims.begun | checkpoint.begun), consent)

    _apply(plan, replan, clients, checkpoint, as_json=as_json)
    _print_result(checkpoint.complete(), files, as_json=as_json)


def _planned(spec: ProvisionSpec, clients: Clients, stack: Stack, claims: Claims, consent: _Consent) -> Plan:
    wanted = {"end_jobs": consent.end_jobs, "refresh_ami": consent.refresh_ami}
    return plan_provision(spec, stack, RemoteState(clients), claims, **wanted)


def _show(plan: Plan, stack: Stack, *, as_json: bool) -> None:
    if as_json:
        print_line(plan_event(plan, stack))
    else:
        print_plan(plan, stack)


def _apply(plan: Plan, replan: Callable[[], Plan], clients: Clients, checkpoint: Checkpoint, *, as_json: bool) -> None:
    table = ProgressTable(plan, console())

    def report(progress: Progress) -> None:
        checkpoint.record(progress)
        if as_json:
            print_line(progress_event(progress))
        else:
            table.update(progress)

    with nullcontext() if as_json else table:
        PlanExecutor(clients, report).run(plan, replan)


def _print_result(provisioned: Provisioned, files: _Files, *, as_json: bool) -> None:
    if as_json:
        print_line(DoneEvent(provisioned=provisioned))
        return
    typer.echo(f"bucket {provisioned.bucket}")
    typer.echo(f"job queue {provisioned.job_queue}, job definition {provisioned.job_definition}")
    typer.echo(f"Saved {files.config} and {files.env_file}; next: source {files.env_file}")
