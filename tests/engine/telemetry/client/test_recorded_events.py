"""Events in recordings: all of them, also those behind the moment that is shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from engine.jobs.journal import Journal
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.recording import KEY_FRAME_S, Recorder, Recording
from engine.telemetry.schema.messages import Answer, EventKind, Events, FullState, GetEvents, Tick
from engine.telemetry.server.publisher import Publisher
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.managed_tasks import Clock, Managed
from tests.support.engine.telemetry_samples import NOW, snapshot


def identity(state: FullState) -> FullState:
    return state


def record(path: Path, seconds: int, journal: Journal) -> None:
    """A tick a second, with an event every ten."""
    recorder = Recorder(path)
    for second in range(seconds):
        at = NOW + second
        if second % 10 == 0:
            journal.add(EventKind.CHANGED, f"at {second}", at=at)
        state = FullState("e", second, snapshot(at), (), events=journal.after(-1))
        recorder.record(Tick("e", second, snapshot(at), events=journal.take_new()), partial(identity, state))
    recorder.close()


def events_of(source: ReplaySource, after: int = -1) -> list[str]:
    answers: list[Answer] = []
    source.ask(GetEvents(after), answers.append)
    source.poll()
    [answer] = answers
    assert isinstance(answer, Events)
    return [event.text for event in answer.events]


def test_a_replay_tells_all_events_at_its_beginning(tmp_path: Path) -> None:
    seconds = round(KEY_FRAME_S * 2.5)
    record(tmp_path / "r", seconds, Journal())
    source = ReplaySource(Recording(tmp_path / "r"), clock=Clock())
    assert events_of(source) == [f"at {second}" for second in range(0, seconds, 10)]
    assert events_of(source, 12) == [f"at {second}" for second in range(130, seconds, 10)]


def test_a_recording_of_an_engine_without_a_journal_has_none(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r")
    recorder.record(Tick("e", 1, snapshot(NOW)), lambda: FullState("e", 1, snapshot(NOW)))
    recorder.close()
    assert events_of(ReplaySource(Recording(tmp_path / "r"), clock=Clock())) == []


class Kept:
    """Recorder that keeps what it gets."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self.states: list[FullState] = []

    def record(self, tick: Tick, full_state: object) -> None:
        self.ticks.append(tick)
        assert callable(full_state)
        self.states.append(full_state())


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_the_engine_puts_each_event_into_one_tick_and_all_into_a_recordings_key_frame(kept: Kept) -> None:
    managed = Managed(clock=Clock())
    builder = SnapshotBuilder([managed], Vitals("0"), managed.clock)
    publisher = Publisher("e", builder, None, kept)
    managed.tasks.arrive(1)
    publisher.publish_due()
    managed.tasks.arrive(2)
    publisher.publish_due()
    assert [[event.text for event in tick.events] for tick in kept.ticks] == [["Client|quant"], []]
    assert [len(state.events) for state in kept.states] == [1, 1]
    assert publisher.full_state().events == ()
