"""Command `plan`: what `provision` or `cleanup` would do, read from what lives. Changes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.common import CHANGES, claims_of, config_errors_exit_with_1, print_line
from provisioner.commands.flags import Adopt, ConfigFile, EndJobs, Json, RefreshAmi, Reset
from provisioner.commands.image import known_image
from provisioner.commands.json_output import plan_report
from provisioner.commands.options import CONFIG_FILE, GivenOptions, with_command_options
from provisioner.commands.place import Place, find_place
from provisioner.commands.printing import print_plan
from provisioner.plan.cleanup import candidates, plan_cleanup
from provisioner.plan.model import Plan
from provisioner.plan.planner import Claims, plan_provision
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import Stack


@config_errors_exit_with_1
@with_command_options
def plan(
    given: GivenOptions,
    destroy: Annotated[bool, typer.Option("--destroy", help="What `cleanup` would delete.")] = False,
    keep_data: Annotated[bool, typer.Option("--keep-data", help="With --destroy: keep bucket and logs.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 0 when nothing would change, 2 when something would.")
    ] = False,
    adopt: Adopt = False,
    reset: Reset = False,
    end_jobs: EndJobs = False,
    refresh_ami: RefreshAmi = False,
    as_json: Json = False,
    config: ConfigFile = CONFIG_FILE,
) -> None:
    """Show what `provision` would create, update, replace and delete, field by field."""
    if keep_data and not destroy:
        raise ConfigError("--keep-data is given without --destroy, but only says what a cleanup would keep.")
    place = find_place(given, config, reset=reset)
    stack, clients = place.stack, place.clients
    claims = claims_of(stack, config, adopt=adopt)
    found = (
        _destruction(stack, clients, claims, keep_data=keep_data)
        if destroy
        else _plan(place, claims, end_jobs=end_jobs, refresh_ami=refresh_ami)
    )
    if as_json:
        print_line(plan_report(found, stack))
    else:
        print_plan(found, stack)
    if detailed_exitcode and found:
        raise typer.Exit(CHANGES)


def _plan(place: Place, claims: Claims, *, end_jobs: bool, refresh_ami: bool) -> Plan:
    spec = place.options.with_image(known_image(place.options, place.clients, place.stack))
    remote = RemoteState(place.clients)
    found = plan_provision(spec, place.stack, remote, claims, end_jobs=end_jobs, refresh_ami=refresh_ami)
    return found.with_notes(place.options.notes)


def _destruction(stack: Stack, clients: Clients, claims: Claims, *, keep_data: bool) -> Plan:
    found = candidates(stack, RemoteState(clients), claims)
    return plan_cleanup(found, stack, clients, keep_data=keep_data)
