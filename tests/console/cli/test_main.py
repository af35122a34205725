"""The command line as a person meets it: as a process."""

from __future__ import annotations

import importlib
import resource
import subprocess
from pathlib import Path

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from console.cli.main import ENTRIES, PROGRAM, CommandEntry, app
from tests.support.console.command_line import command_line, modules_loaded_by, run_program

HELP_S = 0.35
HEAVY = ("textual", "boto3", "botocore", "scaler", "moto", "provisioner")


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("local", "--help")])
def test_help_loads_no_heavy_library(words: tuple[str, ...]) -> None:
    assert modules_loaded_by(*words).isdisjoint(HEAVY)


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("status", "--help")])
def test_help_is_there_before_one_looks_away(words: tuple[str, ...]) -> None:
    def seconds() -> float:
        """Of CPU: what a busy machine makes it wait for is not ours."""
        before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        run_program(*words)
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before

    assert any(seconds() <= HELP_S for _ in range(20))  # caches that are shared with others cost CPU, too


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
