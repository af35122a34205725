"""Command `show`: what was provisioned, and with --live what of it lives and how it differs."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.common import CHANGES, config_errors_exit_with_1, print_line
from provisioner.commands.flags import ConfigFile, Json
from provisioner.commands.json_output import resource_reports
from provisioner.commands.options import CONFIG_FILE
from provisioner.commands.printing import print_live
from provisioner.errors import ProvisionError
from provisioner.json_schema import LiveReport, SavedReport
from provisioner.plan.drift import live_resources
from provisioner.plan.planner import stack_of
from provisioner.plan.remote import RemoteState
from provisioner.stack.saved_state import Provisioned, environment_text, exports, load, load_upstream
from provisioner.stack.toml_table import worker_manager_table
from provisioner.stack.upstream import UpstreamStack

UPSTREAM: Final = "Scaler's own provisioner"


class ShowFormat(StrEnum):
    """Format of `show`."""

    ENV = "env"
    TOML = "toml"
    JSON = "json"


@config_errors_exit_with_1
def show(
    region: Annotated[str | None, typer.Option(help="Only of this region.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Only of this prefix.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Look what of it lives, and what differs.")] = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", help="With --live: exit with 0 when all is as it was asked for, 2 when it isn't."
        ),
    ] = False,
    as_json: Json = False,
    format: Annotated[
        ShowFormat | None,
        typer.Option(help="env: a shell's variables; toml: a worker_manager table for `run`; json: all."),
    ] = None,
    config: ConfigFile = CONFIG_FILE,
) -> None:
    """Print what was provisioned. For programs nothing is no error, but an empty list."""
    _check_one_format(live=live, as_json=as_json, format=format)
    if detailed_exitcode and not live:
        raise ConfigError("--detailed-exitcode is given without --live, but only says whether what lives differs.")
    entries, upstream = _entries(config, region, prefix), _upstream(config, region, prefix)
    if as_json and not live and format is None:
        print_line(SavedReport(tuple(entries), upstream.record if upstream else None))
        return
    if not entries and upstream is not None:
        _show_upstream(upstream, format, live=live)
        return
    if not entries:
        raise _nothing(config)
    _warn_of_unfinished(entries)
    if live:
        code = _show_live(_only(entries), as_json=as_json)
        if detailed_exitcode and code:
            raise typer.Exit(code)
    elif format is ShowFormat.ENV:
        typer.echo(environment_text(_only(entries)), nl=False)
    elif format is ShowFormat.TOML:
        typer.echo(worker_manager_table(_only(entries)), nl=False)
    else:
        by_key: dict[str, object] = {entry.key: entry for entry in entries}
        _print_json({**by_key, **({UPSTREAM: upstream.record} if upstream else {})})


def _show_upstream(upstream: UpstreamStack, format: ShowFormat | None, *, live: bool) -> None:
    """Print what another program saved. Raises `ProvisionError` for what makes sense of our stacks only."""
    if format is ShowFormat.ENV:
        typer.echo(exports(upstream.variables), nl=False)
        return
    if live or format is ShowFormat.TOML:
        raise ProvisionError(
            f"The stack {upstream.prefix} in {upstream.region} was made by {UPSTREAM}, and our worker manager can't "
            "use its job definition: make a stack of ours with provision, and remove that one with cleanup --adopt."
        )
    _print_json({UPSTREAM: upstream.record})


def _print_json(document: dict[str, object]) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


def _check_one_format(*, live: bool, as_json: bool, format: ShowFormat | None) -> None:
    """Raises `ConfigError` for flags of which one would be ignored."""
    if format is not None and (live or as_json):
        other = "--live" if live else "--json"
        raise ConfigError(f"--format {format.value} is given with {other}, which has a form of its own: choose one.")


def _nothing(config: Path) -> ProvisionError:
    saved = list(load(config).values())
    if saved:
        return ProvisionError(f"{config} has no such stack, only {_places(saved)}: run provision, or choose of these.")
    return ProvisionError(f"Nothing is saved in {config}: run provision, or name a file with --config.")


def _warn_of_unfinished(entries: list[Provisioned]) -> None:
    """On standard error: what is printed may be read by a shell."""
    if unfinished := [entry for entry in entries if not entry.complete]:
        typer.echo(f"Not all is there of {_places(unfinished)}: run its provision again to finish it.", err=True)


def _places(entries: list[Provisioned]) -> str:
    return ", ".join(f"{entry.prefix} in {entry.region}" for entry in entries)


def _entries(config: Path, region: str | None, prefix: str | None) -> list[Provisioned]:
    return [
        entry for entry in load(config).values() if region in (None, entry.region) and prefix in (None, entry.prefix)
    ]


def _upstream(config: Path, region: str | None, prefix: str | None) -> UpstreamStack | None:
    found = load_upstream(config)
    fits = found is not None and region in (None, found.region) and prefix in (None, found.prefix)
    return found if fits else None


def _only(entries: list[Provisioned]) -> Provisioned:
    if len(entries) > 1:
        raise ProvisionError(f"Several stacks are saved ({_places(entries)}): choose one with --region and --prefix.")
    return entries[0]


def _show_live(entry: Provisioned, *, as_json: bool) -> int:
    """Print it; returns the code of --detailed-exitcode, 1 where something could not be read."""
    clients = Clients(entry.region)
    stack = stack_of(entry.region, entry.prefix, clients)
    if stack.account != entry.account:
        raise ProvisionError(
            f"{entry.prefix} was provisioned in account {entry.account}, but these credentials are of account "
            f"{stack.account}: use that account's."
        )
    resources = live_resources(entry.spec, stack, RemoteState(clients))
    if as_json:
        print_line(LiveReport(entry, time.time(), resource_reports(resources)))
    else:
        print_live(resources)
    if any(one.is_missing or one.drift for one in resources):
        return CHANGES
    return int(any(one.error for one in resources))
