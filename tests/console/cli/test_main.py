"""The command line as a person meets it: as a process."""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from console.cli.main import ENTRIES, PROGRAM, CommandEntry, app
from tests.support.cases import first_now
from tests.support.console.command_line import command_line, modules_loaded_by, run_program

HELP_S = 0.35
"""CPU of `--help` on a machine that does nothing else."""
HELP_SHARES = {("--help",): 1.3, ("run", "--help"): 1.9, ("status", "--help"): 1.3}
"""CPU of `--help` in units of importing Typer's help renderer alone, which other load makes dearer in the same way."""
RENDERER = (sys.executable, "-I", "-c", "import typer.main, typer.rich_utils")
HEAVY = ("textual", "boto3", "botocore", "scaler", "moto", "provisioner")


@pytest.mark.parametrize("words", first_now([("--help",), ("run", "--help"), ("local", "--help")], tuples=True))
def test_help_loads_no_heavy_library(words: tuple[str, ...]) -> None:
    assert modules_loaded_by(*words).isdisjoint(HEAVY)


def cpu_seconds(words: Sequence[str]) -> float:
    """CPU that the program takes; time that a busy machine makes it wait doesn't count."""
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    subprocess.run(words, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before


@pytest.mark.parametrize("words", first_now(HELP_SHARES, tuples=True), ids=" ".join)
def test_help_costs_little_cpu(words: tuple[str, ...]) -> None:
    def is_cheap() -> bool:
        seconds = cpu_seconds(command_line(*words))
        return seconds <= HELP_S or seconds <= HELP_SHARES[words] * cpu_seconds(RENDERER)

    assert any(is_cheap() for _ in range(20))


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert all(entry.name in shown for entry in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_command_of_the_table_exists(entry: CommandEntry) -> None:
    group = get_group(importlib.import_module(entry.module).app)
    assert entry.name in group.commands


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run_program("fly").returncode == 2


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert run_program("--version").stdout == f"{PROGRAM} {version(PROGRAM)}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("plan", "--help"), ("show", "--json")])
def test_a_full_disk_is_one_sentence(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(command_line(*words), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("run", "tcp://127.0.0.1:1", "-q", "q", "-d", "d", "--s3-bucket", "bucket"), ("local",)],
    ids=lambda words: words[0],
)
def test_without_a_terminal_it_says_to_use_headless(words: tuple[str, ...]) -> None:
    done = run_program(*words)
    assert done.returncode == 2
    assert "--headless" in done.stderr
    assert done.stderr.count("\n") == 1
