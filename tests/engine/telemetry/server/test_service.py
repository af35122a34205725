"""Telemetry service over real sockets: ticks, answers, and an operator's actions."""

from __future__ import annotations

import asyncio
import socket
import stat
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq
import zmq.asyncio

from engine.code.archive import pack_code
from engine.config.settings import EngineConfig, StopMode
from engine.errors import ConfigError, EngineError
from engine.telemetry.endpoints import Endpoint, list_engines
from engine.telemetry.schema.messages import (
    REPLICA_LIMIT,
    VERSION,
    AcknowledgeFailures,
    Answer,
    Ask,
    Budget,
    BudgetUnit,
    CancelJobs,
    Done,
    Drain,
    EventKind,
    Events,
    FullState,
    GetEvents,
    GetFullState,
    GetJob,
    GetJobPage,
    GetLogs,
    GetRows,
    GetTrends,
    Hello,
    Job,
    JobPage,
    JobState,
    LogPage,
    LogStatus,
    PushCode,
    Refusal,
    Reply,
    Request,
    SetBudget,
    SetConcurrency,
    SetLogLevel,
    Tick,
    Trends,
    Welcome,
)
from engine.telemetry.schema.wire import decode_reply, decode_tick, encode
from engine.telemetry.server.service import telemetry
from engine.telemetry.server.sockets import Sockets
from tests.support.engine.managed_tasks import Managed, id_of

SECONDS = 10.0
HOURS = Budget(400.0, BudgetUnit.VCPU_HOURS)


class Viewer:
    """Asks one engine over sockets of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.context = zmq.asyncio.Context()
        self.ticks = self._connected(zmq.SUB, endpoint.publish)
        self.ticks.subscribe(b"")
        self.view = self._connected(zmq.DEALER, endpoint.view)
        self.control = self._connected(zmq.DEALER, endpoint.control)

    async def ask(self, request: Request) -> Answer:
        return await self._asked(self.view, request)

    async def do(self, request: Request) -> Answer:
        return await self._asked(self.control, request)

    async def send(self, frame: bytes) -> Reply:
        await self.view.send(frame)
        return decode_reply(await self._received(self.view))

    async def tick(self) -> Tick:
        return decode_tick(await self._received(self.ticks))

    async def close(self) -> None:
        self.context.destroy(linger=0)

    def _connected(self, kind: int, address: str) -> zmq.asyncio.Socket:
        socket = self.context.socket(kind)
        socket.connect(address)
        return socket

    async def _asked(self, socket: zmq.asyncio.Socket, request: Request) -> Answer:
        await socket.send(encode(Ask(1, request)))
        return decode_reply(await self._received(socket)).answer

    async def _received(self, socket: zmq.asyncio.Socket) -> bytes:
        async with asyncio.timeout(SECONDS):
            frame: bytes = await socket.recv()
            return frame


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of this test's own; a socket's path has little room, so it isn't pytest's."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def managers() -> list[Managed]:
    return [Managed("wm-1"), Managed("wm-2")]


@pytest.fixture
async def viewer(runtime: Path, managers: list[Managed]) -> AsyncIterator[Viewer]:
    async with telemetry(config_of(managers), managers, "0.1"):
        [here] = list_engines()
        viewer = Viewer(here.endpoint)
        yield viewer
        await viewer.close()


def config_of(managers: list[Managed]) -> EngineConfig:
    return EngineConfig(managers=tuple(manager.config for manager in managers))


# ---- who looks


async def test_ticks_bring_what_changed_and_the_totals(viewer: Viewer, managers: list[Managed]) -> None:
    first = await viewer.tick()
    managers[0].tasks.submit(1, 2)
    managers[1].tasks.submit(3)
    second = await viewer.tick()
    assert second.seq == first.seq + 1
    assert {row.task_id for row in second.changed} == {id_of(number).hex() for number in (1, 2, 3)}
    assert [view.counts for view in second.snapshot.managers] == [{JobState.SUBMITTED: 2}, {JobState.SUBMITTED: 1}]
    assert managers[0].introspection.viewer_notes > 0


async def test_what_stands_in_for_aws_is_told(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    state = await viewer.ask(GetFullState())
    assert isinstance(state, FullState)
    assert {view.endpoint for view in state.snapshot.managers} == {"http://127.0.0.1:1"}


async def test_that_the_scheduler_may_hold_more_than_it_sent_is_told(viewer: Viewer, managers: list[Managed]) -> None:
    managers[0].is_queue_full = True
    state = await viewer.ask(GetFullState())
    assert isinstance(state, FullState)
    assert [view.queue_full for view in state.snapshot.managers] == [True, False]


async def test_the_full_state_and_the_next_tick_make_one_story(viewer: Viewer, managers: list[Managed]) -> None:
    await viewer.tick()
    managers[0].tasks.submit(1)
    state = await viewer.ask(GetFullState())
    assert isinstance(state, FullState)
    assert [row.state for row in state.rows] == [JobState.SUBMITTED]
    tick = await viewer.tick()
    while tick.seq <= state.seq:
        tick = await viewer.tick()
    assert tick.seq == state.seq + 1


async def test_above_the_limit_no_rows_are_published_and_pages_take_their_place(
    viewer: Viewer, managers: list[Managed]
) -> None:
    for number in range(REPLICA_LIMIT + 1):
        managers[0].tasks.arrive(number)
    tick = await viewer.tick()
    while not tick.snapshot.paged:
        tick = await viewer.tick()
    assert tick.changed == ()
    window = await viewer.ask(GetJobPage(sort="age", limit=10, offset=5))
    assert isinstance(window, JobPage)
    assert (len(window.rows), window.matching, window.total) == (10, REPLICA_LIMIT + 1, REPLICA_LIMIT + 1)


async def test_a_job_is_described_by_the_engine_and_by_batch(viewer: Viewer, managers: list[Managed]) -> None:
    managers[1].tasks.submit(0xAB)
    rows = await viewer.ask(GetRows((id_of(0xAB).hex(), id_of(0xCD).hex())))
    assert isinstance(rows, JobPage)
    assert [row.task_id for row in rows.rows] == [id_of(0xAB).hex()]
    answer = await viewer.ask(GetJob(id_of(0xAB).hex()))
    assert isinstance(answer, Job)
    record = answer.record
    assert (record.row.manager, record.queue, record.why_route) == ("wm-2", "queue", "it fits")
    assert (record.attempts_allowed, record.log_group, record.described) == (3, "/aws/batch/job", "{}")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (GetJob("ff"), "no task ff"),
        (GetJob("00"), "several tasks"),
        (GetJobPage(sort="colour"), "colour"),
        (GetJobPage(manager="wm-9"), "wm-9"),
        (GetTrends(window="2y"), "5m, 1h, 24h"),
        (CancelJobs(()), "only shows"),
    ],
)
async def test_what_cannot_be_shown_is_refused_in_words(
    viewer: Viewer, managers: list[Managed], request_: Request, says: str
) -> None:
    managers[0].tasks.arrive(1)
    managers[1].tasks.arrive(2)
    answer = await viewer.ask(request_)
    assert isinstance(answer, Refusal)
    assert says in answer.text


async def test_trends_are_those_of_one_manager_or_of_all(viewer: Viewer, managers: list[Managed]) -> None:
    for manager in managers:
        manager.tasks.submit(1)
        manager.registry.trends.sample(manager.clock(), manager.registry.counts)
    both, one = await viewer.ask(GetTrends()), await viewer.ask(GetTrends(manager="wm-2"))
    assert isinstance(both, Trends)
    assert isinstance(one, Trends)
    assert (both.counts[JobState.SUBMITTED][0], one.counts[JobState.SUBMITTED][0]) == (2, 1)


async def test_logs_come_page_by_page_with_words_where_there_are_none(viewer: Viewer, managers: list[Managed]) -> None:
    managers[0].tasks.submit(1)
    page = await viewer.ask(GetLogs(task_ids=(id_of(1).hex(),)))
    assert isinstance(page, LogPage)
    assert (page.lines, page.kind) == ((), LogStatus.WAITING)


async def test_hello_says_who_is_there(viewer: Viewer) -> None:
    welcome = await viewer.ask(Hello())
    assert isinstance(welcome, Welcome)
    assert (welcome.managers, welcome.may_control, welcome.vitals.viewers) == (("wm-1", "wm-2"), True, 1)


async def test_another_version_is_refused_with_both_numbers(viewer: Viewer) -> None:
    ask = {"id": 9, "version": VERSION + 1, "request": {"type": "Unheard"}}
    reply = await viewer.send(msgspec.msgpack.encode(ask))
    assert isinstance(reply.answer, Refusal)
    assert (reply.id, f"version {VERSION + 1}" in reply.answer.text, f"version {VERSION}" in reply.answer.text) == (
        9,
        True,
        True,
    )


async def test_a_request_of_a_younger_release_is_refused_in_words(viewer: Viewer) -> None:
    ask = {"id": 9, "version": VERSION, "request": {"type": "Unheard"}}
    reply = await viewer.send(msgspec.msgpack.encode(ask))
    assert isinstance(reply.answer, Refusal)
    assert (reply.id, "doesn't know such a request" in reply.answer.text) == (9, True)


async def test_garbage_is_dropped_and_the_next_request_answered(viewer: Viewer) -> None:
    await viewer.view.send(b"\xff garbage")
    await viewer.view.send_multipart([b"too", b"many", b"frames"])
    assert isinstance(await viewer.ask(Hello()), Welcome)


async def test_an_answer_that_breaks_costs_nobody_else_an_answer(
    viewer: Viewer, managers: list[Managed], caplog: pytest.LogCaptureFixture
) -> None:
    managers[0].tasks.submit(1)
    managers[0].introspection.description = None  # type: ignore[assignment]
    await viewer.view.send(encode(Ask(1, GetJob(id_of(1).hex()))))
    assert isinstance(await viewer.ask(Hello()), Welcome)
    assert "could not be answered" in caplog.text


# ---- who operates


async def test_the_operator_ends_exactly_the_tasks_that_he_names(viewer: Viewer, managers: list[Managed]) -> None:
    managers[0].tasks.arrive(1)
    managers[1].tasks.arrive(2)
    done = await viewer.do(CancelJobs((id_of(2).hex(), id_of(3).hex(), "no id")))
    assert isinstance(done, Done)
    assert set(done.refused) == {id_of(3).hex(), "no id"}
    assert managers[0].tasks.cancelled == []
    assert managers[1].tasks.cancelled == [(id_of(2), "cancelled by the operator of worker manager wm-2")]


async def test_the_journal_tells_who_ended_or_changed_what(viewer: Viewer, managers: list[Managed]) -> None:
    managers[1].tasks.arrive(2)
    await viewer.do(CancelJobs((id_of(2).hex(),)))
    await viewer.do(SetConcurrency("wm-2", 50))
    await viewer.do(Drain(manager="wm-1"))
    told = await viewer.ask(GetEvents())
    assert isinstance(told, Events)
    who = "an operator on this machine"
    assert [(event.kind, event.text) for event in told.events if event.text.startswith(who)] == [
        (EventKind.CANCELLED, f"{who} ends a job"),
        (EventKind.CHANGED, f"{who} changes max_concurrent_jobs from 4 to 50"),
        (EventKind.CHANGED, f"{who} ends it (drain)"),
    ]


async def test_a_second_drain_does_not_cut_the_first_one_short(viewer: Viewer, managers: list[Managed]) -> None:
    await viewer.do(Drain(manager="wm-1"))
    await viewer.do(Drain())
    await viewer.do(Drain(manager="wm-1", mode="terminate"))
    assert [manager.stopped for manager in managers] == [[StopMode.DRAIN, StopMode.TERMINATE], [StopMode.DRAIN]]


async def test_concurrency_is_changed_for_one_manager(viewer: Viewer, managers: list[Managed]) -> None:
    done = await viewer.do(SetConcurrency("wm-2", 50))
    assert isinstance(done, Done)
    assert "50 (was 4)" in done.text
    assert [manager.tasks.max_concurrent_jobs for manager in managers] == [4, 50]


async def test_a_budget_is_changed_for_one_manager_and_told(viewer: Viewer, managers: list[Managed]) -> None:
    done = await viewer.do(SetBudget("wm-2", "400vcpuh"))
    assert isinstance(done, Done)
    assert "400 vCPU-hours, 0.00 of it are used" in done.text
    assert [manager.budget and manager.budget.budget for manager in managers] == [None, HOURS]
    shown = await viewer.ask(GetFullState())
    assert isinstance(shown, FullState)
    assert [view.budget and view.budget.is_spent for view in shown.snapshot.managers] == [None, False]
    await viewer.do(SetBudget("wm-2", "off"))
    assert managers[1].budget is None


async def test_a_budget_in_money_is_refused_while_prices_are_unknown(viewer: Viewer) -> None:
    refused = await viewer.do(SetBudget("wm-1", "80"))
    assert isinstance(refused, Refusal)
    assert "a budget of 80.00 can't be kept while prices are unknown (not read yet): give --price" in refused.text


async def test_code_comes_in_pieces_and_is_used_when_it_is_whole(
    viewer: Viewer, managers: list[Managed], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("#" * 1000)
    code = pack_code([str(tmp_path)])
    pieces = [
        PushCode(code.digest, len(code.data), at, code.data[at : at + 500]) for at in range(0, len(code.data), 500)
    ]
    for piece in pieces[:-1]:
        assert isinstance(await viewer.do(piece), Done)
    assert managers[0].codes == []

    done = await viewer.do(pieces[-1])

    assert isinstance(done, Done)
    assert done.text == f"wm-1, wm-2: the code {code.short} of 1 files is for what is submitted from now on"
    assert [manager.codes for manager in managers] == [[code], [code]]


async def test_code_for_one_manager_leaves_the_others_alone(
    viewer: Viewer, managers: list[Managed], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("")
    code = pack_code([str(tmp_path)])
    await viewer.do(PushCode(code.digest, len(code.data), 0, code.data, "wm-2"))
    assert [manager.codes for manager in managers] == [[], [code]]


async def test_failures_are_acknowledged_for_all_viewers(viewer: Viewer, managers: list[Managed]) -> None:
    managers[0].tasks.submit(1, 2)
    managers[0].tasks.end(1, succeeded=False, reason="it broke")
    assert isinstance(await viewer.do(AcknowledgeFailures({"wm-1": 1})), Done)
    shown = await viewer.ask(GetFullState())
    assert isinstance(shown, FullState)
    assert [view.failed_new for view in shown.snapshot.managers] == [0, 0]
    managers[0].tasks.end(2, succeeded=False, reason="it broke, too")
    shown = await viewer.ask(GetFullState())
    assert isinstance(shown, FullState)
    assert [view.failed_new for view in shown.snapshot.managers] == [1, 0]


@pytest.mark.parametrize(
    "request_",
    [
        SetConcurrency("wm-1", 0),
        SetConcurrency("", 5),
        SetBudget("", "80"),
        SetBudget("wm-1", "plenty"),
        SetLogLevel("LOUD"),
        AcknowledgeFailures({"wm-9": 1}),
        PushCode("a" * 64, 3, 0, b"zip"),
        PushCode("a" * 64, 3, 1, b"zi"),
        PushCode("../a", 3, 0, b"zip"),
        PushCode("a" * 64, 2**40, 0, b"zip"),
        PushCode("a" * 64, 3, 0, b"z", "wm-9"),
        Drain(mode="explode"),
        Drain(manager="wm-9"),
        Hello(),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    viewer: Viewer, managers: list[Managed], request_: Request
) -> None:
    assert isinstance(await viewer.do(request_), Refusal)
    assert [(manager.stopped, manager.tasks.max_concurrent_jobs) for manager in managers] == [([], 4), ([], 4)]
    assert [manager.codes for manager in managers] == [[], []]


# ---- its life


async def test_the_sockets_lie_in_a_private_folder_that_goes_with_the_engine(
    runtime: Path, managers: list[Managed]
) -> None:
    async with telemetry(config_of(managers), managers, "0.1"):
        [here] = list_engines()
        assert here.info.managers == ("wm-1", "wm-2")
        assert stat.S_IMODE(here.folder.stat().st_mode) == 0o700
    assert list_engines() == []


async def test_off_means_no_sockets(runtime: Path, managers: list[Managed]) -> None:
    async with telemetry(msgspec.structs.replace(config_of(managers), telemetry="off"), managers, "0.1"):
        assert list_engines() == []


async def test_an_unusable_folder_is_said_and_the_engine_goes_on(
    runtime: Path, managers: list[Managed], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (runtime / "file").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(runtime / "file"))
    async with telemetry(config_of(managers), managers, "0.1"):
        pass
    assert "no viewer can connect to this engine" in caplog.text


async def test_an_address_that_cannot_be_had_is_refused_at_once(runtime: Path) -> None:
    with pytest.raises(EngineError, match="can't listen"):
        Sockets(Endpoint.ipc(runtime / ("d" * 120)), None)


async def test_metrics_are_those_of_the_moment_of_the_scrape(runtime: Path, managers: list[Managed]) -> None:
    port = free_port()
    config = msgspec.structs.replace(config_of(managers), telemetry="off", metrics_port=port)
    async with telemetry(config, managers, "0.1"):
        managers[0].tasks.submit(1)
        text = await asyncio.to_thread(scraped, port)
    assert 'scaler_batch_jobs{manager="wm-1",state="SUBMITTED"} 1.0' in text


async def test_a_recording_that_cannot_be_written_ends_the_start(
    runtime: Path, managers: list[Managed], tmp_path: Path
) -> None:
    config = msgspec.structs.replace(config_of(managers), record=str(tmp_path / "none" / "file"))
    with pytest.raises(ConfigError, match="--record"):
        async with telemetry(config, managers, "0.1"):
            pass
    assert list_engines() == []


async def test_log_lines_without_a_recording_to_put_them_in_end_the_start(
    runtime: Path, managers: list[Managed]
) -> None:
    config = msgspec.structs.replace(config_of(managers), record_logs=True)
    with pytest.raises(ConfigError, match="--record FILE"):
        async with telemetry(config, managers, "0.1"):
            pass


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        return str(answer.read(), "utf-8")
