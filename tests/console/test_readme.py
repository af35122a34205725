"""The README says nothing that isn't so, as far as a program can tell."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from console.cli.main import ENTRIES
from engine.config.resolve import resolve
from tests.support import paths
from tests.support.docs import config_reference, key_reference

README = paths.README.read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line)
    for language, block in BLOCKS
    if language == "sh"
    for line in block.replace("\\\n", " ").splitlines()
    if re.match(r"(\S*/)?scaler-batch ", line)
]


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_configuration_reference_is_made_from_the_parameters() -> None:
    refresh = "refresh it with: python -m tests.support.docs.config_reference"
    assert config_reference.current() == config_reference.reference(), refresh


def test_the_table_of_keys_is_made_from_the_actions() -> None:
    assert key_reference.current() == key_reference.reference(), (
        "refresh it with: python -m tests.support.docs.key_reference"
    )


def test_the_test_command_is_one_that_ci_can_read() -> None:
    marked = re.findall(r"<!-- test-command: begin -->\n```sh\n(.+)\n```\n<!-- test-command: end -->", README)
    assert len(marked) == 1


@pytest.mark.parametrize("block", blocks("sh"))
def test_shell_blocks_are_shell(block: str) -> None:
    placeholders = re.sub(r"<[A-Z_]+>", "10.0.0.5", block)
    subprocess.run(["bash", "-n", "-c", placeholders], check=True, capture_output=True)


def test_the_toml_example_is_a_configuration(tmp_path: Path) -> None:
    [example] = blocks("toml")
    path = tmp_path / "config.toml"
    path.write_text(example.replace("<SCHEDULER_IP>", "10.0.0.5"))
    [manager] = resolve({}, {}, path).managers
    [table] = tomllib.loads(example)["worker_manager"]
    assert manager.worker_manager_id == table["worker_manager_id"]


@pytest.mark.parametrize("block", blocks("python"))
def test_python_examples_compile(block: str) -> None:
    compile(block, "README.md", "exec")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shown_exists_with_its_flags(words: list[str]) -> None:
    import importlib

    [entry] = [entry for entry in ENTRIES if entry.name == words[1]]
    command: object = get_group(importlib.import_module(entry.module).app)
    for word in words[1:]:
        if not isinstance(command, TyperGroup):
            break
        command = command.commands[word]
    assert isinstance(command, TyperCommand)
    known = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
