"""Authentication: which client may view, which may control, and which is not let in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
import zmq.asyncio

from engine.errors import ConfigError
from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.client.source import LinkState
from engine.telemetry.endpoints import Endpoint
from engine.telemetry.keys import ClientKeys, EngineKeys, KeyRole, make_client_keys, make_engine_keys
from engine.telemetry.schema import wire
from engine.telemetry.schema.messages import Ask, CancelJobs, FullState, GetFullState, Reply, Welcome
from engine.telemetry.server.auth import CurveAuthenticator, SocketDomain
from tests.support.engine.telemetry_samples import VITALS, snapshot
from tests.support.socket_places import free_endpoint

DEADLINE = 10.0


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_engine_keys(tmp_path / "engine")
    for role in KeyRole:
        make_client_keys(role.value, role, tmp_path / "engine", tmp_path / f"{role.value}.json")
    return tmp_path


class Door:
    """The two request sockets of an engine behind keys."""

    def __init__(self, folder: Path, endpoint: Endpoint) -> None:
        self.context = zmq.asyncio.Context()
        self.keeper = CurveAuthenticator(folder)
        self.keeper.start(self.context)
        self.endpoint = endpoint
        self.heard: list[tuple[SocketDomain, Ask, KeyRole | None]] = []
        self.publisher = self._bound(zmq.XPUB, endpoint.publish, SocketDomain.VIEW)
        addresses = {SocketDomain.VIEW: endpoint.view, SocketDomain.CONTROL: endpoint.control}
        self.answering = [
            asyncio.create_task(self._answer(self._bound(zmq.ROUTER, address, domain), domain))
            for domain, address in addresses.items()
        ]

    def _bound(self, kind: int, address: str, domain: SocketDomain) -> zmq.asyncio.Socket:
        bound = self.context.socket(kind)
        bound.set(zmq.LINGER, 0)
        self.keeper.secure(bound, domain)
        bound.bind(address)
        return bound

    async def _answer(self, bound: zmq.asyncio.Socket, domain: SocketDomain) -> None:
        while True:
            sender, frame = await bound.recv_multipart(copy=False)
            ask, role = wire.decode_ask(frame.bytes), self.keeper.role_of(frame)
            self.heard.append((domain, ask, role))
            welcome = Welcome("e1", VITALS, (), may_control=role is KeyRole.CONTROL)
            answer = FullState("e1", 1, snapshot()) if isinstance(ask.request, GetFullState) else welcome
            await bound.send_multipart([sender.bytes, wire.encode(Reply(ask.id, answer))])

    async def close(self) -> None:
        for each in self.answering:
            each.cancel()
        await asyncio.gather(*self.answering, return_exceptions=True)
        await self.keeper.close()
        self.context.destroy(linger=0)


@contextmanager
def client_of(endpoint: Endpoint, keys: ClientKeys, control: bool = False) -> Iterator[TelemetryClient]:
    client = TelemetryClient(endpoint, keys, allow_control=control)
    try:
        yield client
    finally:
        client.close()


async def settled(client: TelemetryClient, state: LinkState) -> TelemetryClient:
    async with asyncio.timeout(DEADLINE):
        while client.link.state is not state:
            client.poll()
            await asyncio.sleep(0.01)
    return client


@pytest.mark.parametrize("role", list(KeyRole))
async def test_a_client_that_is_let_in_sees_and_is_told_its_role(keys: Path, role: KeyRole) -> None:
    door = Door(keys / "engine", free_endpoint())
    with client_of(door.endpoint, ClientKeys.load(keys / f"{role.value}.json"), control=True) as client:
        await settled(client, LinkState.LIVE)
        async with asyncio.timeout(DEADLINE):
            while client.may_control is not (role is KeyRole.CONTROL) or client.link.round_trip_s is None:
                client.poll()
                await asyncio.sleep(0.01)
    await door.close()


async def test_a_stranger_is_refused_in_words(keys: Path) -> None:
    door = Door(keys / "engine", free_endpoint())
    public, secret = (key.decode() for key in zmq.curve_keypair())
    stranger = ClientKeys("eve", KeyRole.CONTROL, public, secret, EngineKeys.load(keys / "engine").public)
    with client_of(door.endpoint, stranger) as client:
        await settled(client, LinkState.REFUSED)
        assert "doesn't let this key in" in client.link.detail
    assert door.heard == []
    await door.close()


async def test_an_engine_with_another_key_is_not_talked_to(keys: Path) -> None:
    door = Door(keys / "engine", free_endpoint())
    mine = ClientKeys.load(keys / "view.json")
    impostor = ClientKeys(mine.name, mine.role, mine.public, mine.secret, zmq.curve_keypair()[0].decode())
    with client_of(door.endpoint, impostor) as client:
        await settled(client, LinkState.REFUSED)
        assert "isn't the engine whose key" in client.link.detail
    assert door.heard == []
    await door.close()


async def test_a_view_key_is_not_let_into_the_control_socket(keys: Path) -> None:
    """Sent past the client's own rules, as somebody with ill intent would."""
    door = Door(keys / "engine", free_endpoint())
    with client_of(door.endpoint, ClientKeys.load(keys / "view.json"), control=True) as client:
        await settled(client, LinkState.LIVE)
        for _ in range(50):
            assert not client._connection.send(wire.encode(Ask(1, CancelJobs(("aa",)))), control=True)
            await asyncio.sleep(0.01)
    assert all(domain is SocketDomain.VIEW for domain, _, _ in door.heard)
    await door.close()


async def test_a_client_that_is_taken_off_the_list_has_no_role_any_more(keys: Path) -> None:
    now = 0.0
    keeper = CurveAuthenticator(keys / "engine", clock=lambda: now)
    (keys / "engine" / "allowed" / "view.json").unlink()
    public = ClientKeys.load(keys / "view.json").public
    assert keeper._current_roles()[public] is KeyRole.VIEW
    now = 2.0
    assert public not in keeper._current_roles()


@pytest.mark.parametrize(
    "question", [[], [b"1.0"], [b"1.0", b"1", b"view", b"", b"", b"NULL"], [b"x"] * 7, [b"1.0"] * 9]
)
def test_a_question_that_makes_no_sense_is_a_no(keys: Path, question: list[bytes]) -> None:
    assert CurveAuthenticator(keys / "engine")._decide(question)[2] == b"400"


def test_an_address_without_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="--keys"):
        TelemetryClient(Endpoint.tcp("tcp://127.0.0.1:1"))
