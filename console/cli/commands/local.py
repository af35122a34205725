"""`scaler-batch local`: Scaler, a stand-in for AWS and the worker manager, all on this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.commands.attach import ASCII_HELP
from console.cli.options import with_options
from console.cli.progress import say
from console.local.run import ImageOptions, LocalRunOptions, Pace, engine_settings, job_image, run_locally
from engine.config.parameters import PARAMETERS
from engine.errors import ConfigError

# What the cluster decides; everything else of `run` can be given here too. These values stand in for the real ones
# while the rest is checked.
ANY_PLACES: Final = {
    "scheduler_address": "tcp://127.0.0.1:8516",
    "worker_scheduler_address": "tcp://127.0.0.1:8516",
    "scheduler_monitor_address": "tcp://127.0.0.1:8518",
    "object_storage_address": "tcp://127.0.0.1:8517",
    "job_queue": "queue",
    "job_definition": "definition",
    "s3_bucket": "bucket",
    "aws_region": "us-east-1",
}

DEMO_HELP: Final = "Run x ** 2 over range(N) and say what it cost."
SCRIPT_HELP: Final = "Run a client script with the scheduler's address in SCALER_ADDRESS; its exit code is ours."
STAY_HELP: Final = "As with the console: stay up after the demo or the script; a demo's jobs rest in each state."
CONTAINERS_HELP: Final = "Jobs run in real containers of an image that is built, instead of processes of this Python."
NO_JOBS_HELP: Final = "Run no job: a task's result is its first argument, at once. To measure the manager alone."
IMAGE: Final = "Image of the jobs, with --containers"
IMAGE_HELP: Final = "This image, with the runner inside, instead of building one."
BASE_IMAGE_HELP: Final = "Build it on this one, instead of python:X.Y-slim."
IMAGE_FLAGS: Final = "--image, --base-image, --requirements and --package"
REQUIREMENTS_HELP: Final = "Requirements file to install."
PACKAGE_HELP: Final = "Your own Python project; may be repeated."
FAULT_HELP: Final = "Let the local AWS fail, like spot:0.1; may be repeated."

PACE_HELP: Final = "How long the local AWS takes: nothing, or AWS's own times, half a minute to half an hour each."

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
@with_options(parameter for parameter in PARAMETERS if parameter.name not in ANY_PLACES)
def local(
    headless: Annotated[bool, typer.Option("--headless", help="Without the console.")] = False,
    only_ascii: Annotated[bool, typer.Option("--ascii", help=ASCII_HELP)] = False,
    stay: Annotated[bool, typer.Option("--stay", help=STAY_HELP)] = False,
    demo: Annotated[int | None, typer.Option("--demo", metavar="N", min=1, help=DEMO_HELP)] = None,
    script: Annotated[Path | None, typer.Option("--script", metavar="FILE", help=SCRIPT_HELP)] = None,
    containers: Annotated[bool, typer.Option("--containers", help=CONTAINERS_HELP)] = False,
    no_jobs: Annotated[bool, typer.Option("--no-jobs", help=NO_JOBS_HELP)] = False,
    fault: Annotated[list[str] | None, typer.Option("--fault", metavar="FAULT", help=FAULT_HELP)] = None,
    pace: Annotated[Pace, typer.Option("--pace", help=PACE_HELP)] = "fast",
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help=IMAGE_HELP, rich_help_panel=IMAGE)] = None,
    base_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help=BASE_IMAGE_HELP, rich_help_panel=IMAGE)
    ] = None,
    requirements: Annotated[
        Path | None, typer.Option(metavar="FILE", help=REQUIREMENTS_HELP, rich_help_panel=IMAGE)
    ] = None,
    package: Annotated[list[Path] | None, typer.Option(metavar="DIR", help=PACKAGE_HELP, rich_help_panel=IMAGE)] = None,
    **flags: object,
) -> None:
    """Run everything on this machine: a real Scaler scheduler and object storage, a local stand-in for AWS
    with its resources provisioned, and the worker manager.

    Without --demo and --script it stays up and prints the address to connect to. On a terminal the console opens
    on it, and everything ends with the console. Headless, Ctrl-C drains, a second one stops.
    """
    options = LocalRunOptions(
        demo=demo,
        script=script,
        faults=tuple(fault or ()),
        as_json=as_json,
        containers=containers,
        no_jobs=no_jobs,
        image=ImageOptions(given=image, base=base_image, requirements=requirements, packages=tuple(package or ())),
        stay=stay,
        pace=pace,
        flags=flags,
    )
    check(options)
    if not headless:
        raise typer.Exit(watched(options, only_ascii))
    with deliberate_signals():
        raise typer.Exit(run_locally(options))


def watched(options: LocalRunOptions, only_ascii: bool) -> int:
    """Run the same command without a console as a child, and a console on it; returns the exit code."""
    from console.processes.engine_child import BUILD_S, START_S
    from console.processes.own_engine import run_local_watched
    from console.tui.launch import require_console

    require_console("add --headless")
    manager = options.flags.get("worker_manager_id")
    start_seconds = BUILD_S if options.containers or options.pace == "aws" else START_S
    words = [word for word in sys.argv[2:] if word != "--ascii"]
    name = str(manager) if manager else None
    return run_local_watched(words, name, start_seconds=start_seconds, only_ascii=only_ascii)


def check(options: LocalRunOptions) -> None:
    """Check all options before anything starts. Raises `ConfigError`."""
    from provisioner.local.faults.faults import parse_fault

    if options.demo is not None and options.script is not None:
        raise ConfigError("--demo and --script exclude each other: give one of them.")
    if find_spec("moto") is None:
        raise ConfigError("The local AWS is not installed: pip install 'scaler-batch[local]'.")
    check_no_jobs(options)
    for fault in options.faults:
        parse_fault(fault)
    engine_settings(options, ANY_PLACES)
    check_containers(options)
    if options.script is not None and not options.script.is_file():
        raise ConfigError(f"--script is {options.script}, which is no file: give the path of a Python script.")


def check_no_jobs(options: LocalRunOptions) -> None:
    """Check what `--no-jobs` excludes. Raises `ConfigError`."""
    if options.no_jobs and options.containers:
        raise ConfigError("--no-jobs runs none, --containers runs them in containers: give one of them.")
    if options.no_jobs and options.demo is not None:
        raise ConfigError("--no-jobs computes nothing, and --demo checks results: give --script, or neither.")


def check_containers(options: LocalRunOptions) -> None:
    """Check the options of `--containers`. Raises `ConfigError`, and `EngineError` without a container engine."""
    if not options.containers:
        if options.image != ImageOptions():
            raise ConfigError(f"{IMAGE_FLAGS} are about the image of jobs in containers: add --containers.")
        return
    from provisioner.local.docker.requirements import check_requirements

    job_image(options)
    check_requirements()


@contextmanager
def deliberate_signals() -> Iterator[None]:
    """Turn every signal to end into an interrupt while things start, so that nothing is left behind."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDING}
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(1) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
