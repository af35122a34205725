"""The resources screen on `scaler-batch local`: its own stack, in its own console and in one that came later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster.consoles import UserFolders, user_folders
from tests.support.terminal import Terminal


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserFolders]:
    with user_folders(tmp_path) as here:
        yield here


@pytest.mark.long
def test_its_stack_is_seen_clean_and_provisioned_from_either_and_leaves_nothing(user: UserFolders) -> None:
    with user.terminal("local") as terminal, ending(terminal):
        terminal.wait_for("LIVE", 90)
        terminal.send("R")
        terminal.wait_for(is_clean, 60)
        with user.terminal("attach", "--allow-writes") as later:
            later.wait_for("LIVE", 30)
            later.send("R")
            later.wait_for(is_clean, 60)
            later.send("P")
            later.wait_for("Provision (y)")
            later.send("y")
            later.wait_for("nothing had to be done", 60)
    assert (user.processes(), user.engines(), list(user.folder.glob(".scaler*"))) == ([], [], [])


def is_clean(text: str) -> bool:
    return "scaler-batch-queue" in text and "nothing to do" in text and "reading" not in text


@contextmanager
def ending(terminal: Terminal) -> Iterator[None]:
    yield
    terminal.send("q")
    terminal.wait_for("end with this console")
    terminal.send("S")
    assert terminal.wait_end(30) == 0, terminal.text
