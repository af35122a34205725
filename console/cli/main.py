"""Entry point of `scaler-batch`: the table of commands, whose modules are loaded when they run.

Owns how an error that a person reads ends the process. Everything else belongs to the commands' own modules, so that
`--help` costs nothing but Typer.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from typer.main import get_group

from engine.errors import EngineError

PROGRAM: Final = "scaler-batch"
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Row of the table: `module` holds a Typer application `app` with a command of this name."""

    name: str
    module: str
    panel: str
    summary: str


ENTRIES: Final = (
    CommandEntry(
        "run",
        "console.cli.commands.run",
        "Worker manager",
        "Connect to a Scaler scheduler and run its tasks as AWS Batch jobs.",
    ),
    CommandEntry(
        "local",
        "console.cli.commands.local",
        "Worker manager",
        "Everything on this machine: Scaler, a stand-in for AWS, worker manager, demo.",
    ),
    CommandEntry(
        "attach", "console.cli.commands.attach", "Running engine", "The console on an engine that runs already."
    ),
    CommandEntry("replay", "console.cli.commands.replay", "Running engine", "The console on a recording."),
    CommandEntry(
        "status",
        "console.cli.commands.status",
        "Running engine",
        "What an engine is doing: states, routes, quotas, links.",
    ),
    CommandEntry("jobs", "console.cli.commands.jobs", "Running engine", "List jobs, filtered and ordered."),
    CommandEntry(
        "wait", "console.cli.commands.wait", "Running engine", "Wait until jobs are done, one fails or one is stuck."
    ),
    CommandEntry("progress", "console.cli.commands.progress", "Running engine", "Show how far jobs are, as bars."),
    CommandEntry("logs", "console.cli.commands.logs", "Running engine", "Print what jobs write, once or as it comes."),
    CommandEntry("cancel", "console.cli.commands.cancel", "Running engine", "End some jobs."),
    CommandEntry(
        "budget", "console.cli.commands.budget", "Running engine", "Change what the jobs of an engine may cost."
    ),
    CommandEntry(
        "code", "console.cli.commands.code", "Running engine", "Give jobs your own modules, without an image build."
    ),
    CommandEntry("drain", "console.cli.commands.drain", "Running engine", "End an engine in good order."),
    CommandEntry(
        "keys", "console.cli.commands.keys", "Running engine", "Make the keys for looking from another machine."
    ),
    CommandEntry("build-image", "provisioner.cli", "AWS resources", "Build the image of the jobs, and push it to ECR."),
    CommandEntry("plan", "provisioner.cli", "AWS resources", "What provision would create, change and delete."),
    CommandEntry(
        "provision",
        "provisioner.cli",
        "AWS resources",
        "Make bucket, roles, compute environment, job queue and job definition as asked for.",
    ),
    CommandEntry(
        "show", "provisioner.cli", "AWS resources", "What was provisioned; with --live what lives and differs."
    ),
    CommandEntry("cleanup", "provisioner.cli", "AWS resources", "Delete it all, and say what remains."),
    CommandEntry(
        "doctor", "provisioner.cli", "AWS resources", "What jobs need, checked; why a job or a queue is stuck."
    ),
    CommandEntry(
        "export", "provisioner.cli", "AWS resources", "The same for CloudFormation or Terraform, or the IAM policies."
    ),
    CommandEntry(
        "selftest", "provisioner.cli", "AWS resources", "Prove on this account what no stand-in can, for a few cents."
    ),
)

# A forwarded command leaves every word, `--help` included, to the application that it forwards to.
_FORWARD: Final = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Bursts OpenGRIS Scaler tasks to AWS Batch.",
)


def main() -> None:
    """Run as the console script. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."""
    try:
        run()
    except EngineError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output needs no more, as `head` does
        leave_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        leave_output()
        print(f"{PROGRAM}: what is written can't be kept ({error.strerror}): make room and try again.", file=sys.stderr)
        sys.exit(1)


def run() -> None:
    """Run the command of `sys.argv`. Raises whatever it raises, of its last output, too."""
    try:
        if entry := next((entry for entry in ENTRIES if sys.argv[1:2] == [entry.name]), None):
            run_entry(entry, sys.argv[2:])
        else:
            app(prog_name=PROGRAM)
    finally:
        sys.stdout.flush()


def leave_output() -> None:
    """Send what is still in buffers nowhere, or the interpreter's end would fail on it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_entry(entry: CommandEntry, words: list[str]) -> None:
    """Load the command's module and hand it the rest of the command line."""
    target: typer.Typer = importlib.import_module(entry.module).app
    if words == ["--help"]:
        print_help(target, entry.name)
    else:
        target(args=[entry.name, *words], prog_name=PROGRAM)


def print_help(target: typer.Typer, name: str) -> None:
    """Print what `--help` prints without parsing any value: the library for that is a third of the whole time."""
    group = get_group(target)
    root = typer.Context(group, info_name=PROGRAM)
    if command := group.get_command(root, name):
        print(command.get_help(typer.Context(command, info_name=name, parent=root)), end="")


def print_version(wanted: bool) -> None:
    """Print the distribution's version and exit."""
    if wanted:
        from importlib.metadata import version  # only this option needs it

        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Options of the program as a whole."""


def _mount(entry: CommandEntry) -> None:
    def forward(ctx: typer.Context) -> None:
        run_entry(entry, ctx.args)

    app.command(
        entry.name,
        help=entry.summary,
        rich_help_panel=entry.panel,
        add_help_option=False,
        context_settings=_FORWARD,
    )(forward)


for _entry in ENTRIES:
    _mount(_entry)
