"""`scaler-batch run`: resolves the configuration and becomes the engine, or opens the console on one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.commands.attach import ASCII_HELP
from console.cli.options import with_options
from console.processes.engine_program import engine_command
from engine.config.parameters import PARAMETERS
from engine.config.resolve import resolve
from engine.config.settings import EngineConfig
from engine.errors import ConfigError

TARGET_HELP: Final = "The scheduler, or Scaler's own TOML file."
CONFIG_HELP: Final = "The TOML file, where the address is given too."
HEADLESS_HELP: Final = "Without the console: log lines only."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
@with_options(parameter for parameter in PARAMETERS if not parameter.positional)
def run(
    target: Annotated[str | None, typer.Argument(metavar="SCHEDULER_ADDRESS|CONFIG.toml", help=TARGET_HELP)] = None,
    config: Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help=CONFIG_HELP)] = None,
    headless: Annotated[bool, typer.Option("--headless", help=HEADLESS_HELP)] = False,
    only_ascii: Annotated[bool, typer.Option("--ascii", help=ASCII_HELP)] = False,
    **flags: object,
) -> None:
    """Connect to a Scaler scheduler and run its tasks as AWS Batch jobs.

    On a terminal the console opens on it; the engine is a process of its own and can be left running. Flags win
    over the environment, and the environment over the file.
    """
    settings = configuration(target, config, flags)
    if headless:
        become_engine(settings)
        return
    from console.processes.own_engine import run_watched
    from console.tui.launch import require_console

    require_console("add --headless")
    raise typer.Exit(run_watched(settings, only_ascii=only_ascii))


def configuration(target: str | None, config: str | None, flags: dict[str, object]) -> EngineConfig:
    """Resolve command line, environment and file. Raises `ConfigError`."""
    if target is None or not _is_file_name(target):
        return resolve({**flags, "scheduler_address": target}, os.environ, _path(config))
    if config is not None:
        raise ConfigError(f"Both {target} and --config {config} name a configuration file: give one of them.")
    return resolve(flags, os.environ, Path(target))


def become_engine(settings: EngineConfig) -> None:
    """Replace this process, so that signals and the exit code are the engine's own."""
    command = engine_command(settings)
    sys.stdout.flush()
    os.execv(command[0], command)


def _is_file_name(target: str) -> bool:
    return "://" not in target and (target.endswith(".toml") or Path(target).exists())


def _path(config: str | None) -> Path | None:
    return None if config is None else Path(config)
