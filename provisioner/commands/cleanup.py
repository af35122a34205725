"""Command `cleanup`: delete a stack, resource by resource, then read it again and say what remains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from provisioner.clients import Clients
from provisioner.commands.common import claims_of, errors_as_json, interruptible, only_run, print_line, require_consent
from provisioner.commands.flags import Adopt, ConfigFile, EnvFile, Json, Prefix, Region, Yes
from provisioner.commands.json_output import plan_event, remains_event, removal_event
from provisioner.commands.options import CONFIG_FILE, ENV_FILE
from provisioner.commands.place import chosen_region, saved_elsewhere
from provisioner.commands.printing import console, print_plan, print_remains, print_removal
from provisioner.errors import ProvisionError
from provisioner.kinds import StepState
from provisioner.plan.cleanup import Candidate, Remains, Removal, StackCleaner, candidates, plan_cleanup
from provisioner.plan.planner import Claims, stack_of
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import forget, forget_upstream

RESUME_HINT: Final = "what was deleted so far is gone. Run this again to go on."


def cleanup(
    region: Region = None,
    prefix: Prefix = "scaler-batch",
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep the bucket with its objects, and the log group.")
    ] = False,
    yes: Yes = False,
    adopt: Adopt = False,
    as_json: Json = False,
    config: ConfigFile = CONFIG_FILE,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Delete everything of the prefix: its jobs, its resources, and all data in its bucket.

    Exit code 1 when something remains, with the command that would remove it.
    """
    with errors_as_json(as_json), interruptible(RESUME_HINT):
        clients = Clients(chosen_region(region, prefix, config))
        stack = stack_of(clients.region, prefix, clients)
        with only_run(clients.region, prefix, config):
            claims = claims_of(stack, config, adopt=adopt)
            found = candidates(stack, RemoteState(clients), claims)
            _refuse_wrong_place(found, stack, config)
            _consent(found, stack, clients, keep_data=keep_data, yes=yes, as_json=as_json)
            remains = _clean(found, stack, clients, claims, keep_data=keep_data, as_json=as_json)
            if not remains:
                forget(stack.account, stack.region, prefix, config, env_file)
            if not remains and adopt:
                forget_upstream(stack.account, stack.region, prefix, config)
    _print_remains(remains, keep_data=keep_data, as_json=as_json)


def _refuse_wrong_place(found: list[Candidate], stack: Stack, config: Path) -> None:
    """Raises `ProvisionError` when there is nothing here, and what is saved is elsewhere."""
    others = list(saved_elsewhere(stack, config))
    if others and all(one.found is None and not one.unread for one in found):
        places = ", ".join(f"{one.prefix} in {one.region} of account {one.account}" for one in others)
        raise ProvisionError(
            f"There is nothing of {stack.prefix} in {stack.region} of account {stack.account}, but {config} has "
            f"{places}: give its --region and --prefix."
        )


def _consent(
    found: list[Candidate], stack: Stack, clients: Clients, *, keep_data: bool, yes: bool, as_json: bool
) -> None:
    plan = plan_cleanup(found, stack, clients, keep_data=keep_data)
    if as_json:
        print_line(plan_event(plan, stack))
    else:
        print_plan(plan, stack)
    if plan:
        require_consent("Delete all this?", yes=yes)


def _clean(
    found: list[Candidate], stack: Stack, clients: Clients, claims: Claims, *, keep_data: bool, as_json: bool
) -> list[Remains]:
    out = console()

    def report(removal: Removal) -> None:
        if as_json:
            print_line(removal_event(removal))
        elif removal.state is StepState.RUNNING:
            status.update(removal.text)
        else:
            print_removal(out, removal)

    with out.status("cleaning up") as status:
        return StackCleaner(stack, clients, report, claims=claims, keep_data=keep_data).run(found)


def _print_remains(remains: list[Remains], *, keep_data: bool, as_json: bool) -> None:
    if as_json:
        print_line(remains_event(remains))
    else:
        print_remains(remains, keep_data=keep_data)
    if remains:
        raise typer.Exit(1)
