"""What the commands share: claims out of the saved file, the question, JSON lines that end in an event."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from engine.errors import ConfigError, EngineError
from provisioner.commands.json_output import as_line
from provisioner.plan.planner import Claims
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import entry_key, load


def claims_of(stack: Stack, config: Path, *, adopt: bool) -> Claims:
    """With what an earlier run on this machine began to make. Raises `ProvisionError` for an unreadable file."""
    entry = load(config).get(entry_key(stack.account, stack.region, stack.prefix))
    return Claims(frozenset(entry.begun if entry else ()), adopt)


def require_consent(question: str, *, yes: bool) -> None:
    """Raises `ConfigError` where nobody can be asked, `typer.Abort` for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask for confirmation: give --yes to go on without.")
    typer.confirm(question, abort=True, err=True)  # standard output may be read by a program


def print_line(document: dict[str, object]) -> None:
    """At once: whoever reads shows it to a person."""
    print(as_line(document), flush=True)


@contextmanager
def told_as_json(wanted: bool) -> Iterator[None]:
    """A failure is the last line of JSON, too."""
    try:
        yield
    except EngineError as error:
        if not wanted:
            raise
        print_line({"event": "failed", "error": str(error)})
        raise typer.Exit(error.exit_code) from None
