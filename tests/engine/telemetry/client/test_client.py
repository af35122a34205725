"""Client and engine over real sockets: in good times, in bad ones, and with a peer that sends nonsense."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from engine.telemetry.client.client import READ_ONLY, TelemetryClient
from engine.telemetry.client.link_watch import LOST_AFTER_S, STALE_AFTER_S
from engine.telemetry.client.source import LinkState
from engine.telemetry.endpoints import Endpoint
from engine.telemetry.schema import wire
from engine.telemetry.schema.messages import (
    MAX_MESSAGE_BYTES,
    VERSION,
    Answer,
    CancelJobs,
    Done,
    GetJob,
    GetJobPage,
    Hello,
    JobPage,
    JobState,
    Refusal,
    Welcome,
)
from tests.support.engine.telemetry_samples import VITALS, row, snapshot, task_id
from tests.support.engine.telemetry_stand_in import StandIn, settle


class Clock:
    """Time goes by, and jumps when a test wants it to."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:  # a socket's path has no room for pytest's
        yield Endpoint.ipc(Path(folder))


@pytest.fixture
def engine(endpoint: Endpoint) -> Iterator[StandIn]:
    engine = StandIn(endpoint)
    yield engine
    engine.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(endpoint: Endpoint, engine: StandIn, clock: Clock) -> Iterator[TelemetryClient]:
    client = TelemetryClient(endpoint, allow_control=True, clock=clock, wall_clock=lambda: 0.0)
    yield client
    client.close()


def live(client: TelemetryClient, engine: StandIn) -> None:
    """Connected on all sockets, the replica complete, and what is published next arrives."""
    settle(client, lambda: client.may_control and client.replica.complete and engine.heard, engine)


def answer_of(client: TelemetryClient, engine: StandIn, request: GetJobPage | CancelJobs | GetJob) -> Answer:
    answers: list[Answer] = []
    client.ask(request, answers.append)
    settle(client, lambda: bool(answers), engine)
    return answers[0]


def test_the_replica_follows_the_engine(client: TelemetryClient, engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1)}
    live(client, engine)
    engine.change(row(1, JobState.SUCCEEDED), row(2))
    settle(client, lambda: client.replica.seq == engine.seq, engine)
    assert client.replica.rows == engine.rows
    assert client.link.state is LinkState.LIVE
    assert client.link.detail == ""


def test_polling_says_whether_anything_changed(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    settle(client, lambda: client.replica.seq == engine.seq, engine)
    assert not client.poll()
    engine.change(row(1))
    settle(client, lambda: client.replica.seq == engine.seq, engine)
    assert client.replica.take_changed() >= {task_id(1)}


def test_a_gap_is_healed_by_asking_for_everything(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    engine.change(row(5), lose=True)
    engine.change(row(6))
    settle(client, lambda: client.replica.skipped > 0 and client.replica.complete, engine)
    assert set(client.replica.rows) == {task_id(5), task_id(6)}


def test_questions_get_their_own_answers(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    engine.rows = {task_id(1): row(1), task_id(2): row(2, JobState.FAILED)}
    found = answer_of(client, engine, GetJobPage(filter="=FAILED"))
    assert isinstance(found, JobPage)
    assert [each.task_id for each in found.rows] == [task_id(2)]
    assert isinstance(answer_of(client, engine, GetJob("zz")), Refusal)


def test_control_goes_to_the_control_socket(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    assert answer_of(client, engine, CancelJobs((task_id(1),))) == Done("cancelled 1")


def test_a_read_only_viewer_sends_no_control_request(endpoint: Endpoint, engine: StandIn) -> None:
    client = TelemetryClient(endpoint)
    try:
        assert answer_of(client, engine, CancelJobs((task_id(1),))) == Refusal(READ_ONLY)
        assert not client.may_control
        assert not any(isinstance(request, CancelJobs) for request in engine.asked)
    finally:
        client.close()


def test_a_viewer_that_may_only_view_is_told_so(client: TelemetryClient, engine: StandIn) -> None:
    engine.answers[Hello] = Welcome("e1", VITALS, (), may_control=False)
    settle(client, lambda: any(isinstance(request, Hello) for request in engine.asked), engine)
    settle(client, lambda: client.replica.complete, engine)
    answer = answer_of(client, engine, CancelJobs((task_id(1),)))
    assert isinstance(answer, Refusal)
    assert "may only view" in answer.text


def test_no_answer_is_a_refusal_after_a_while(client: TelemetryClient, engine: StandIn, clock: Clock) -> None:
    live(client, engine)
    engine.silent = True
    answers: list[Answer] = []
    client.ask(GetJob("aa"), answers.append)
    clock.ahead += 5.1
    settle(client, lambda: bool(answers), engine)
    assert isinstance(answers[0], Refusal)
    assert "no answer" in answers[0].text


def test_silence_is_stale_then_lost_then_live_again(client: TelemetryClient, engine: StandIn, clock: Clock) -> None:
    live(client, engine)
    clock.ahead += STALE_AFTER_S + 1
    client.poll()
    assert (client.link.state, client.link.detail) == (LinkState.STALE, "STALE 4 s")
    clock.ahead += LOST_AFTER_S - STALE_AFTER_S
    client.poll()
    assert client.link.state is LinkState.LOST
    assert client.link.detail.startswith("ENGINE LOST ")
    assert client.link.detail.endswith(", retry in 1 s")
    assert client.replica.snapshot is not None, "what was known last stays"
    clock.ahead += 1
    settle(client, lambda: client.link.state is LinkState.LIVE, engine)


def test_questions_to_a_lost_engine_fail_at_once(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    engine.close()
    answers: list[Answer] = []
    client.ask(GetJob("aa"), answers.append)
    settle(client, lambda: client.link.state is LinkState.LOST)
    client.ask(GetJob("bb"), answers.append)
    client.poll()
    assert [type(answer) for answer in answers] == [Refusal, Refusal]


def test_an_engine_that_starts_again_is_found_again(
    client: TelemetryClient, engine: StandIn, endpoint: Endpoint
) -> None:
    live(client, engine)
    engine.close()
    settle(client, lambda: client.link.state is LinkState.LOST)
    successor = StandIn(endpoint, engine="e2")
    successor.rows = {task_id(9): row(9)}
    try:
        settle(client, lambda: client.replica.engine == "e2" and client.replica.complete, successor)
        assert client.link.state is LinkState.LIVE
        assert client.replica.rows == successor.rows
    finally:
        successor.close()


def test_requests_never_wait_for_a_later_engine(endpoint: Endpoint, clock: Clock) -> None:
    client = TelemetryClient(endpoint, allow_control=True, clock=clock)
    answers: list[Answer] = []
    client.ask(CancelJobs((task_id(1),)), answers.append)
    client.poll()
    clock.ahead += 6
    client.poll()
    late = StandIn(endpoint)
    try:
        settle(client, lambda: client.replica.complete, late)
        assert isinstance(answers[0], Refusal)
        assert "no connection" in answers[0].text
        assert not any(isinstance(request, CancelJobs) for request in late.asked)
    finally:
        client.close()
        late.close()


def garbage() -> Iterator[bytes]:
    yield b""
    yield b"\xc1" * 100
    yield os.urandom(1000)
    yield msgspec.msgpack.encode({"type": "Tick", "version": VERSION})
    yield msgspec.msgpack.encode([1, 2, 3])
    yield b"\x91" * 100_000  # arrays in arrays, deeper than any stack
    yield b"\xdb\xff\xff\xff\xff"  # text of four gigabytes, it says


def test_garbage_is_nobodys_end(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    for frame in garbage():
        engine.publisher.send(frame)
        client._connection.send(frame, control=False)
    engine.change(row(1))
    settle(client, lambda: client.replica.seq == engine.seq, engine)
    assert client.link.state is LinkState.LIVE


def test_a_frame_above_the_limit_is_dropped_and_the_link_heals(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    engine.publisher.send(b"\0" * (MAX_MESSAGE_BYTES + 1))
    settle(client, lambda: client.link.state is LinkState.LOST, engine)
    settle(client, lambda: client.link.state is LinkState.LIVE, engine)
    assert client.replica.complete


@pytest.mark.parametrize(
    "how", [lambda tick: {**tick, "version": VERSION + 1}, lambda tick: {"version": 99, "new": True}]
)
def test_another_version_is_refused_with_both_versions(
    client: TelemetryClient, engine: StandIn, how: Callable[[dict[str, object]], dict[str, object]]
) -> None:
    live(client, engine)
    tick = msgspec.msgpack.decode(wire.encode(engine.change()))
    other = how(tick)
    engine.publisher.send(msgspec.msgpack.encode(other))
    settle(client, lambda: client.link.state is LinkState.REFUSED, engine)
    assert f"version {other['version']}" in client.link.detail
    assert f"version {VERSION}" in client.link.detail


def test_an_answer_of_another_version_is_refused_too(client: TelemetryClient, engine: StandIn) -> None:
    live(client, engine)
    engine.version = 7
    answer = answer_of(client, engine, GetJob("aa"))
    assert isinstance(answer, Refusal)
    assert "version 7" in answer.text


def test_a_full_state_is_there_before_the_first_tick(client: TelemetryClient, engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1)}
    settle(client, lambda: client.replica.complete, engine)
    assert client.replica.snapshot == snapshot()
    assert client.link.state is LinkState.LIVE


def test_a_command_that_nobody_answers_is_refused_in_time(endpoint: Endpoint, engine: StandIn) -> None:
    client = TelemetryClient(endpoint)
    try:
        assert isinstance(client.call(GetJob("aa"), timeout_s=0.05), Refusal)
    finally:
        client.close()
