"""The documents say nothing that isn't so, as far as a program can tell."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from console.cli.main import ENTRIES
from engine.config.resolve import resolve
from engine.telemetry.schema.messages import JobRow, ManagerView, Snapshot
from provisioner.local.faults.faults import KINDS
from tests.support.docs import documents, messages
from tests.support.docs.documents import DOCS, DOCUMENTS, CodeBlock
from tests.support.docs.generated import SECTIONS, GeneratedSection
from tests.support.paths import README, ROOT

README_LINES = 200
FILES_OF_A_CHANGE = 3
PLACEHOLDER = re.compile(r"<[A-Z_]+>")
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def place_of(block: CodeBlock) -> str:
    return f"{name_of(block.document)}-{block.text.partition(chr(10))[0][:40]}"


# ---- what is shown can be run


@pytest.mark.parametrize("marker", ["demo-command", "test-command"])
def test_the_two_commands_are_ones_that_ci_can_read(marker: str) -> None:
    marked = re.findall(rf"<!-- {marker}: begin -->\n```sh\n(.+)\n```\n<!-- {marker}: end -->", README.read_text())
    assert len(marked) == 1


@pytest.mark.parametrize("block", documents.blocks("sh"), ids=place_of)
def test_shell_blocks_are_shell(block: CodeBlock) -> None:
    text = PLACEHOLDER.sub("10.0.0.5", block.text)
    subprocess.run(["bash", "-n", "-c", text], check=True, capture_output=True)


@pytest.mark.parametrize("block", documents.blocks("toml"), ids=place_of)
def test_toml_examples_are_configurations(block: CodeBlock, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(PLACEHOLDER.sub("10.0.0.5", block.text))
    managers = resolve({}, {}, path).managers
    tables = tomllib.loads(block.text)["worker_manager"]
    assert [manager.worker_manager_id for manager in managers] == [table["worker_manager_id"] for table in tables]


@pytest.mark.parametrize("block", documents.blocks("json"), ids=place_of)
def test_json_examples_are_json(block: CodeBlock) -> None:
    msgspec.json.decode(block.text)


@pytest.mark.parametrize("block", documents.blocks("python"), ids=place_of)
def test_python_examples_compile(block: CodeBlock) -> None:
    compile(block.text, name_of(block.document), "exec")


def test_the_progress_of_a_notebook_counts_each_future_that_ends(capsys: pytest.CaptureFixture[str]) -> None:
    [text] = re.findall(
        r"<!-- notebook-progress: begin -->\n```python\n(.+?)```", (DOCS / "console.md").read_text(), re.DOTALL
    )
    shown: dict[str, Any] = {}
    exec(text, shown)
    ended, failed, cancelled, open_one = futures = [Future[int]() for _ in range(4)]
    ended.set_result(1)
    shown["show_progress"](futures)
    failed.set_exception(ValueError())
    cancelled.cancel()
    assert open_one.running() is False
    assert capsys.readouterr().out == "".join(f"\r{number} of 4 done" for number in (1, 2, 3))


@pytest.mark.parametrize("words", documents.commands(), ids=" ".join)
def test_every_command_shown_exists_with_its_flags(words: list[str]) -> None:
    [entry] = [entry for entry in ENTRIES if entry.name == words[1]]
    command: object = get_group(importlib.import_module(entry.module).app)
    for word in words[1:]:
        if not isinstance(command, TyperGroup):
            break
        command = command.commands[word]
    assert isinstance(command, TyperCommand)
    known = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


# ---- what is named is there


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_named_exists(document: Path) -> None:
    assert [path for path in documents.paths_named(document) if not documents.exists(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_module_named_exists(document: Path) -> None:
    assert [name for name in documents.modules_named(document) if not documents.module_exists(name)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in documents.relative_links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in documents.anchors(target), link


def test_the_readme_is_read_in_one_go() -> None:
    assert len(README.read_text().splitlines()) <= README_LINES


def test_the_readme_leads_to_every_page() -> None:
    links = set(documents.relative_links(README))
    assert [page.name for page in DOCS.glob("*.md") if f"docs/{page.name}" not in links] == []


def test_ci_calls_what_a_person_calls() -> None:
    assert "bash .ci/run" in WORKFLOW.read_text()


# ---- what is made from the code is current


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.marker)
def test_a_generated_section_is_current(section: GeneratedSection) -> None:
    assert section.current() == section.make(), "refresh it with: python -m tests.support.docs"


def test_the_table_of_faults_has_all_of_them() -> None:
    forms = [cells[0] for cells in documents.table_below(DOCS / "local.md", "## Faults")]
    kinds = KINDS
    assert sorted(re.split(r"[`:\[]", form)[1] for form in forms) == sorted(kinds)


@pytest.mark.parametrize(
    ("command", "told"),
    [("jobs --json", JobRow), ("status --json", Snapshot), ("status --json", ManagerView)],
)
def test_every_field_of_the_json_is_told(command: str, told: type[msgspec.Struct]) -> None:
    reference = (DOCS / "reference.md").read_text()
    [row] = [line for line in reference.splitlines() if line.startswith(f"| `{command}` |")]
    names = [field.encode_name for field in msgspec.structs.fields(told)]
    assert [name for name in names if f"`{name}`" not in row] == []


@pytest.mark.parametrize("message", messages.explained())
def test_a_message_that_the_runbook_explains_is_one_of_ours(message: str, sayable: str) -> None:
    assert [part for part in messages.parts(message) if part not in sayable] == []


def test_the_runbook_explains_whatever_alarms() -> None:
    assert [text for text in messages.alarming() if not messages.is_explained(text)] == []


@pytest.fixture(scope="module")
def sayable() -> str:
    return messages.sayable()


# ---- which file to change for what

CHANGES = documents.table_below(DOCS / "architecture.md", "## What to change for what")


@pytest.mark.parametrize("cells", CHANGES, ids=lambda cells: str(cells[0]))
def test_a_change_has_three_files_at_most_and_they_hold_what_is_said(cells: list[str]) -> None:
    _, files, there = cells
    paths = re.findall(r"`([^`]+)`", files)
    assert 1 <= len(paths) <= FILES_OF_A_CHANGE
    text = "\n".join(path.read_text() for name in paths for path in ROOT.glob(re.sub(r"<[^>]+>", "*", name)))
    assert [word for word in re.findall(r"`(\w+)`", there) if not re.search(rf"\b{word}\b", text)] == []
