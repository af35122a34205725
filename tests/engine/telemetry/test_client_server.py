"""Telemetry service and client of ours, over the sockets between them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zmq

from engine.config.settings import EngineConfig, StopMode
from engine.telemetry.client.client import NOT_ALLOWED, TelemetryClient
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.client.source import LinkState
from engine.telemetry.endpoints import Endpoint, find_endpoint
from engine.telemetry.keys import ClientKeys, KeyRole, make_client_keys, make_engine_keys
from engine.telemetry.recording import Recording
from engine.telemetry.schema.messages import (
    MAX_REQUEST_BYTES,
    Answer,
    CancelJobs,
    Done,
    Drain,
    GetJobPage,
    JobPage,
    JobState,
    Refusal,
    Request,
)
from engine.telemetry.server.service import telemetry
from tests.support.engine.managed_tasks import Managed, id_of
from tests.support.socket_places import free_endpoint, short_folder

DEADLINE = 10.0


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


@pytest.fixture
def managers() -> list[Managed]:
    return [Managed("wm-1", ended_kept=20), Managed("wm-2")]


@asynccontextmanager
async def engine_of(managers: list[Managed], **settings: object) -> AsyncIterator[None]:
    config = EngineConfig(managers=tuple(manager.config for manager in managers), **settings)  # type: ignore[arg-type]
    async with telemetry(config, managers, "0.1"):
        yield


@asynccontextmanager
async def client_of(
    endpoint: Endpoint, keys: ClientKeys | None = None, control: bool = True
) -> AsyncIterator[TelemetryClient]:
    client = TelemetryClient(endpoint, keys, allow_control=control)
    try:
        yield client
    finally:
        client.close()


async def until(client: TelemetryClient, so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not so():
            client.poll()
            await asyncio.sleep(0.01)


async def answer_of(client: TelemetryClient, request: Request) -> Answer:
    answers: list[Answer] = []
    client.ask(request, answers.append)
    await until(client, lambda: bool(answers))
    return answers[0]


def rows_of(managers: list[Managed]) -> dict[str, JobState]:
    return {row.task_id: row.state for manager in managers for row in manager.registry.rows()}


async def test_the_replica_follows_the_registries_through_coming_ending_and_ageing_out(managers: list[Managed]) -> None:
    chance = random.Random(4)
    async with engine_of(managers), client_of(find_endpoint("wm-1")) as client:
        await until(client, lambda: client.replica.complete)
        for number in range(120):
            managers[number % 2].tasks.submit(number)
            if chance.random() < 0.8:
                managers[number % 2].tasks.end(number, succeeded=chance.random() < 0.7)
            if number % 40 == 0:
                await until(client, lambda: client.poll())
        await until(client, lambda: {id: row.state for id, row in client.replica.rows.items()} == rows_of(managers))
        assert client.replica.skipped == 0
        assert client.link.state is LinkState.LIVE


async def test_a_console_outlives_its_engine_and_finds_the_next(managers: list[Managed]) -> None:
    async with engine_of(managers):
        endpoint = find_endpoint(None)
        client = TelemetryClient(endpoint)
        await until(client, lambda: client.link.state is LinkState.LIVE)
    first = client.replica.engine
    await until(client, lambda: client.link.state is LinkState.LOST)
    assert client.link.detail.startswith("ENGINE LOST")
    managers[0].tasks.submit(7)
    async with engine_of(managers):
        await until(client, lambda: client.link.state is LinkState.LIVE and client.replica.complete)
    assert client.replica.engine != first
    assert set(client.replica.rows) == {id_of(7).hex()}
    client.close()


async def test_an_operators_wishes_reach_the_manager(managers: list[Managed]) -> None:
    managers[0].tasks.submit(1)
    async with engine_of(managers), client_of(find_endpoint(None)) as client:
        await until(client, lambda: client.may_control)
        done = await answer_of(client, CancelJobs((id_of(1).hex(), id_of(9).hex())))
        assert isinstance(done, Done)
        assert set(done.refused) == {id_of(9).hex()}
        await answer_of(client, Drain("wm-2", "detach"))
        assert (managers[0].stopped, managers[1].stopped) == ([], [StopMode.DETACH])


async def test_nonsense_and_excess_from_a_viewer_cost_the_others_nothing(managers: list[Managed]) -> None:
    managers[0].tasks.submit(1)
    async with engine_of(managers), client_of(find_endpoint(None)) as client:
        await until(client, lambda: client.replica.complete)
        context = zmq.Context()
        for address in (client.endpoint.view, client.endpoint.control):
            hostile = context.socket(zmq.DEALER)
            hostile.connect(address)
            for frame in (b"", b"\xc1\xff", b"\x91" * 100_000, b"\0" * (MAX_REQUEST_BYTES + 1)):
                hostile.send(frame)
                hostile.send_multipart([frame, frame])
        assert isinstance(await answer_of(client, GetJobPage()), JobPage)
        context.destroy(linger=0)
        managers[0].tasks.submit(2)
        await until(client, lambda: len(client.replica.rows) == 2)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_engine_keys(tmp_path / "engine")
    for role in KeyRole:
        make_client_keys(role.value, role, tmp_path / "engine", tmp_path / f"{role.value}.json")
    return tmp_path


async def test_over_tcp_a_key_decides_what_one_may(managers: list[Managed], keys: Path) -> None:
    managers[0].tasks.submit(1)
    port = free_endpoint().publish
    viewer, controller = (ClientKeys.load(keys / f"{role.value}.json") for role in KeyRole)
    async with engine_of(managers, telemetry=port, telemetry_keys=str(keys / "engine")):
        async with client_of(find_endpoint("wm-1"), viewer) as client:
            await until(client, lambda: bool(client.replica.rows) and client.link.round_trip_s is not None)
            assert await answer_of(client, CancelJobs((id_of(1).hex(),))) == Refusal(NOT_ALLOWED)
        async with client_of(Endpoint.tcp(port), controller) as client:
            await until(client, lambda: client.may_control)
            assert isinstance(await answer_of(client, CancelJobs((id_of(1).hex(),))), Done)
        public, secret = (key.decode() for key in zmq.curve_keypair())
        stranger = ClientKeys("eve", KeyRole.CONTROL, public, secret, viewer.server_key)
        async with client_of(Endpoint.tcp(port), stranger) as client:
            await until(client, lambda: client.link.state is LinkState.REFUSED)
            assert client.replica.snapshot is None


async def test_what_was_published_is_recorded(managers: list[Managed], tmp_path: Path) -> None:
    path = tmp_path / "night.rec"
    async with engine_of(managers, record=str(path)), client_of(find_endpoint(None)) as client:
        managers[0].tasks.submit(1)
        await until(client, lambda: client.replica.seq >= 1 and client.replica.complete)
        managers[0].tasks.end(1)
        await until(client, lambda: rows_of(managers) == {id: row.state for id, row in client.replica.rows.items()})
    source = ReplaySource(Recording(path))
    source.pause()
    source.seek(source.recording.end)
    source.poll()
    assert source.replica.rows == client.replica.rows
    source.close()
