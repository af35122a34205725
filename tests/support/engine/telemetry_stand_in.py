"""Stub of an engine for tests of its viewers: real sockets, the schema's messages, and state that a test sets.

Nothing of it runs by itself: `settle` takes turns between it and a client, so a test needs neither threads nor luck.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import zmq

from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.endpoints import Endpoint
from engine.telemetry.schema import wire
from engine.telemetry.schema.messages import (
    VERSION,
    Answer,
    Ask,
    CancelJobs,
    Done,
    FullState,
    GetFullState,
    GetJobPage,
    Hello,
    JobRow,
    Refusal,
    Reply,
    Request,
    Tick,
    Welcome,
)
from engine.telemetry.schema.query import make_page
from tests.support.engine.telemetry_samples import NOW, VITALS, snapshot

DEADLINE = 10.0


class StandIn:
    """Publisher and answerer that acts only when it gets its turn."""

    def __init__(self, endpoint: Endpoint, engine: str = "e1") -> None:
        self.engine, self.seq = engine, 0
        self.rows: dict[str, JobRow] = {}
        self.asked: list[Request] = []
        self.answers: dict[type, Answer] = {}
        """By the request's type: instead of the usual answer."""
        self.silent = False
        self.version = VERSION
        self.context = zmq.Context()
        self.publisher = self._bound(zmq.XPUB, endpoint.publish)
        self.heard = False
        """Somebody subscribed."""
        self.requests = [self._bound(zmq.ROUTER, endpoint.view), self._bound(zmq.ROUTER, endpoint.control)]

    def _bound(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, 1024 * 1024)
        socket.bind(address)
        return socket

    def close(self) -> None:
        self.context.destroy(linger=0)

    def change(self, *rows: JobRow, lose: bool = False) -> Tick:
        """Rows change, and a tick says so, unless it gets lost."""
        self.seq += 1
        self.rows.update({row.task_id: row for row in rows})
        tick = Tick(self.engine, self.seq, snapshot(), rows)
        if not lose:
            self.publisher.send(wire.encode(tick))
        return tick

    def take_turn(self) -> None:
        while self.publisher.poll(0):
            self.heard = self.publisher.recv() == b"\x01"
        for socket in self.requests:
            while socket.poll(0):
                sender, frame = socket.recv_multipart()
                try:
                    ask = wire.decode_ask(frame)
                except ValueError:
                    continue
                self.asked.append(ask.request)
                if not self.silent:
                    socket.send_multipart([sender, wire.encode(self._reply(ask))])

    def _reply(self, ask: Ask) -> Reply:
        answer = self.answers.get(type(ask.request)) or self._usual(ask.request)
        return Reply(ask.id, answer, self.version)

    def _usual(self, request: Request) -> Answer:
        if isinstance(request, Hello):
            return Welcome(self.engine, VITALS, ("wm-1",), may_control=True)
        if isinstance(request, GetFullState):
            return FullState(self.engine, self.seq, snapshot(), tuple(self.rows.values()))
        if isinstance(request, GetJobPage):
            return make_page(self.rows.values(), request, NOW)
        if isinstance(request, CancelJobs):
            return Done(f"cancelled {len(request.task_ids)}")
        return Refusal("not played here")


def settle(client: TelemetryClient, until: Callable[[], bool], *engines: StandIn) -> None:
    """Both sides take turns until it is so. Raises `TimeoutError` when it never is."""
    deadline = time.monotonic() + DEADLINE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never came to be; the link is {client.link}")
        for engine in engines:
            engine.take_turn()
        client.poll(0.01)
