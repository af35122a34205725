"""The question before jobs are ended, as somebody at a terminal meets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.telemetry.endpoints import Endpoint, claim_folder
from engine.telemetry.schema.messages import CancelJobs
from tests.support.console.command_line import command_line
from tests.support.engine.telemetry_samples import row, task_id
from tests.support.engine.telemetry_stand_in import StandIn
from tests.support.socket_places import short_folder
from tests.support.terminal import Terminal


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(Path(folder)))
        with claim_folder("wm-1") as claimed:
            engine = StandIn(Endpoint.ipc(claimed.folder))
            claimed.write_info(("wm-1",), "0.1.0")
            yield engine
            engine.close()


@contextmanager
def cancelling(engine: StandIn, *words: str) -> Iterator[Terminal]:
    with Terminal(command_line("cancel", *words)) as terminal:
        yield terminal


def settled(engine: StandIn, terminal: Terminal, text: str) -> str:
    """Until the text is on the screen; the engine takes its turns meanwhile."""

    def shown(screen: str) -> bool:
        engine.take_turn()
        return text in screen

    return terminal.wait_for(shown)


def end_of(engine: StandIn, terminal: Terminal) -> int:
    while terminal.process.poll() is None:
        engine.take_turn()
        terminal.read(0.02)
    return terminal.wait_end()


def cancelled(engine: StandIn) -> list[CancelJobs]:
    return [request for request in engine.asked if isinstance(request, CancelJobs)]


def test_enter_at_once_cancels_nothing(engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1)}
    with cancelling(engine, task_id(1)) as terminal:
        screen = settled(engine, terminal, "[y/N]")
        assert task_id(1) in screen
        assert "1 RUNNING" in screen
        terminal.send("\n")
        assert end_of(engine, terminal) == 1
        assert "nothing was done" in terminal.text
    assert cancelled(engine) == []


def test_yes_cancels_and_says_what_was_done(engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1)}
    with cancelling(engine, task_id(1)) as terminal:
        settled(engine, terminal, "[y/N]")
        terminal.send("y\n")
        assert end_of(engine, terminal) == 0
        assert "cancelled 1" in terminal.text
    assert cancelled(engine) == [CancelJobs((task_id(1),))]


@pytest.mark.parametrize(("typed", "code"), [("y", 1), ("12", 1), ("11", 0)])
def test_more_than_ten_need_their_number(engine: StandIn, typed: str, code: int) -> None:
    engine.rows = {task_id(number): row(number) for number in range(11)}
    with cancelling(engine, "--filter", "=RUNNING") as terminal:
        settled(engine, terminal, "(11)")
        terminal.send(f"{typed}\n")
        assert end_of(engine, terminal) == code
    assert len(cancelled(engine)) == (code == 0)
