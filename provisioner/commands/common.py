"""Parts of several commands: claims out of the saved file, consent, lines of JSON, signals that end a command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Final

import typer

from engine.errors import ConfigError, EngineError
from provisioner.commands.json_output import as_line
from provisioner.errors import ProvisionError
from provisioner.json_schema import FailedEvent
from provisioner.plan.planner import Claims
from provisioner.stack.naming import Stack
from provisioner.stack.private_files import one_run
from provisioner.stack.saved_state import entry_key, load

CHANGES: Final = 2
"""Exit code of --detailed-exitcode for a plan that isn't empty, and for drift, as Terraform's."""


def config_errors_exit_with_1(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command: with --detailed-exitcode a value that can't work exits with 1, as 2 stands for changes."""

    @wraps(command)
    def wrapper(**words: Any) -> None:
        try:
            command(**words)
        except ConfigError as error:
            if not words["detailed_exitcode"]:
                raise
            raise ProvisionError(str(error)) from error

    return wrapper


def claims_of(stack: Stack, config: Path, *, adopt: bool) -> Claims:
    """Claims to what an earlier run on this machine began to make. Raises `ProvisionError` for an unreadable file."""
    entry = load(config).get(entry_key(stack.account, stack.region, stack.prefix))
    return Claims(frozenset(entry.begun if entry else ()), adopt)


@contextmanager
def only_run(region: str, prefix: str, config: Path) -> Iterator[None]:
    """Context of a run that changes a stack: of this folder's there is one at a time. Raises `ProvisionError`.

    Runs elsewhere meet in the account: what one of them has made is done for the other.
    """
    lock = config.with_name(f"{config.name}.{region}.{prefix}.lock")
    with one_run(lock, f"the stack {prefix} in {region}"):
        yield


def require_consent(question: str, *, yes: bool) -> None:
    """Ask on the terminal, unless `yes`. Raises `ConfigError` without a terminal, `typer.Abort` for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask for confirmation: give --yes to go on without.")
    typer.confirm(question, abort=True, err=True)  # standard output may be read by a program


def print_line(document: object) -> None:
    """Print a struct or mapping as a line of JSON, at once: the program that reads it shows it to a person."""
    print(as_line(document), flush=True)


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """Context that prints an error as the last line of JSON and exits with its code."""
    try:
        yield
    except EngineError as error:
        if not as_json:
            raise
        print_line(FailedEvent(str(error)))
        raise typer.Exit(error.exit_code) from None


@contextmanager
def interruptible(resume_hint: str) -> Iterator[None]:
    """Context in which Ctrl-C and SIGTERM end programs, remove temporary logins, and leave as a `ProvisionError`.

    Its text ends with `resume_hint`. Main thread only.
    """

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise ProvisionError(f"Interrupted: {resume_hint}") from None
    finally:
        signal.signal(signal.SIGTERM, before)
