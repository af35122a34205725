"""Live `Source`: keeps a replica of one engine over its sockets, and carries requests to it.

No thread and no event loop: everything happens inside `poll`, which the owner calls often.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.errors import ConfigError
from engine.telemetry.client.connection import Connection, LinkEvent
from engine.telemetry.client.link_watch import LinkWatch
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.endpoints import Endpoint
from engine.telemetry.keys import ClientKeys
from engine.telemetry.schema import wire
from engine.telemetry.schema.messages import (
    Answer,
    Ask,
    ControlRequest,
    FullState,
    GetFullState,
    Hello,
    Refusal,
    Reply,
    Request,
    Welcome,
)

ANSWER_TIMEOUT_S: Final = 5.0
PING_S: Final = 5.0
PING_WAITS: Final = 5
PING_WAIT_S: Final = 0.001
"""A ping's answer is waited for so long: else a near engine's round trip would be that of the owner's polling."""
MAX_PENDING: Final = 100
_CALL_POLL_S: Final = 0.02
_FULL_STATE_RETRY_S: Final = 1.0
"""Between two requests for everything when the first brought nothing."""

DOWN: Final = (LinkState.LOST, LinkState.REFUSED)

READ_ONLY: Final = "this viewer is read-only: attach with --allow-writes to control the engine"
NOT_ALLOWED: Final = (
    "this key may only view: the engine's owner can make one with scaler-batch keys client --role control"
)
KEY_REFUSED: Final = (
    "the engine doesn't let this key in: have it made with scaler-batch keys client on the engine's machine"
)
NO_KEYS: Final = "a tcp:// endpoint needs keys: give the file that scaler-batch keys client made with --keys FILE"
UNSAFE: Final = "the other side isn't the engine whose key this key file holds: check the address and the file"


@dataclass(slots=True)
class _PendingRequest:
    frame: bytes
    control: bool
    on_answer: Callable[[Answer], None]
    deadline: float
    sent_at: float | None = None


class TelemetryClient:
    """Client of one engine. Only with `allow_control` is the control socket connected at all.

    Without `keep_replica` it only sends the requests that it is given: a short command costs the engine no tick.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        keys: ClientKeys | None = None,
        *,
        allow_control: bool = False,
        keep_replica: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises `ConfigError` for a remote endpoint without keys."""
        if endpoint.is_remote and keys is None:
            raise ConfigError(NO_KEYS)
        self.replica = Replica()
        self.endpoint = endpoint
        self._clock, self._wall_clock = clock, wall_clock
        self._allow_control, self._keeps_replica = allow_control, keep_replica
        self._welcome: Welcome | None = None
        self._waiting: dict[int, _PendingRequest] = {}
        self._refused: list[tuple[Callable[[Answer], None], str]] = []
        self._was_down = False
        self._next_id = self._ping_id = 0
        self._asked_full_at = self._pinged_at = float("-inf")
        self._watch = LinkWatch(endpoint.name, clock())
        self._connection = Connection(endpoint, keys, control=allow_control, ticks=keep_replica)

    @property
    def link(self) -> LinkView:
        """State of the connection."""
        return self._watch.view

    @property
    def may_control(self) -> bool:
        """The engine takes control requests of this client; known after its first answer."""
        return self._allow_control and self._welcome is not None and self._welcome.may_control

    def poll(self, timeout_s: float = 0.0) -> bool:
        """See `Source.poll`. A ping, once in 5 s, makes it wait for up to 5 ms."""
        before = self.replica.version, self._watch.view
        began = self._clock()
        if timeout_s > 0:
            self._connection.wait(timeout_s)
        self._take_in()
        self._keep_link()
        self._send_own_requests()
        self._send_waiting()
        for _ in range(PING_WAITS):
            if not self._pinged_since(began):
                break
            self._connection.wait(PING_WAIT_S)
            self._take_in()
        self._give_up_on_late()
        return before != (self.replica.version, self._watch.view)

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        """See `Source.ask`. Without an answer within 5 s it is a `Refusal`."""
        self._ask(request, on_answer, ANSWER_TIMEOUT_S)

    def call(self, request: Request, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
        """Ask and wait for the answer: for commands, which have nothing else to do."""
        answers: list[Answer] = []
        self._ask(request, answers.append, timeout_s)
        while not answers:
            self.poll(_CALL_POLL_S)
        return answers[0]

    def close(self) -> None:
        """Close the sockets."""
        self._connection.close()

    # ---- requests

    def _ask(self, request: Request, on_answer: Callable[[Answer], None], timeout_s: float) -> None:
        control = isinstance(request, ControlRequest)
        if (why_not := self._refusal_reason(control)) is not None:
            self._refused.append((on_answer, why_not))
        else:
            self._send(request, on_answer, timeout_s)

    def _send(self, request: Request, on_answer: Callable[[Answer], None], timeout_s: float) -> None:
        self._next_id += 1
        frame = wire.encode(Ask(self._next_id, request))
        control = isinstance(request, ControlRequest)
        self._waiting[self._next_id] = _PendingRequest(frame, control, on_answer, self._clock() + timeout_s)
        self._send_waiting()

    def _refusal_reason(self, control: bool) -> str | None:
        if control and not self._allow_control:
            return READ_ONLY
        if control and self._welcome is not None and not self._welcome.may_control:
            return NOT_ALLOWED
        if len(self._waiting) >= MAX_PENDING:
            return f"{MAX_PENDING} requests wait for an answer already: try again in a moment"
        return self.link.detail if self.link.state in DOWN else None

    def _send_waiting(self) -> None:
        for waiting in self._waiting.values():
            if waiting.sent_at is None and self._connection.send(waiting.frame, control=waiting.control):
                waiting.sent_at = self._clock()

    def _send_own_requests(self) -> None:
        now = self._clock()
        if self._needs_everything and now - self._asked_full_at >= _FULL_STATE_RETRY_S:
            self._asked_full_at = now
            self._send(GetFullState(), lambda _: None, ANSWER_TIMEOUT_S)
        if now - self._pinged_at >= PING_S:
            self._pinged_at = now
            self._send(Hello(), lambda _: None, ANSWER_TIMEOUT_S)
            self._ping_id = self._next_id

    def _pinged_since(self, began: float) -> bool:
        ping = self._waiting.get(self._ping_id)
        return ping is not None and ping.sent_at is not None and ping.sent_at >= began

    @property
    def _needs_everything(self) -> bool:
        return self._keeps_replica and (not self.replica.complete or self.link.state in DOWN)

    def _give_up_on_late(self) -> None:
        now = self._clock()
        late = [id for id, waiting in self._waiting.items() if waiting.deadline <= now]
        for id in late:
            what = "no answer from" if self._waiting[id].sent_at is not None else "no connection to"
            self._answer(
                id, Refusal(f"{what} the engine {self.endpoint.name} in time: is it running, and not blocked?")
            )
        refused, self._refused = self._refused, []
        for on_answer, why in refused:
            on_answer(Refusal(why))

    def _answer(self, id: int, answer: Answer) -> None:
        if (waiting := self._waiting.pop(id, None)) is None:
            return
        if isinstance(answer, Welcome) and waiting.sent_at is not None:
            self._watch.on_round_trip(self._clock() - waiting.sent_at)
        waiting.on_answer(answer)

    # ---- receiving

    def _take_in(self) -> None:
        arrived = self._connection.receive()
        for frame in arrived.ticks:
            self._take_tick(frame)
        for frame in arrived.replies:
            self._take_reply(frame)
        for event in arrived.events:
            self._take_event(event)

    def _take_tick(self, frame: bytes) -> None:
        try:
            tick = wire.decode_tick(frame)
        except wire.OtherVersion as error:
            self._refuse(str(error))
        except wire.BadFrame:
            return  # whoever sent it, the next tick shows what is missing
        else:
            if self.replica.apply(tick, self._clock()):
                self._watch.on_state(self._clock())

    def _take_reply(self, frame: bytes) -> None:
        try:
            reply = wire.decode_reply(frame)
        except wire.OtherVersion as error:
            self._refuse(str(error))
            self._answer(error.id or 0, Refusal(str(error)))
        except wire.BadFrame:
            return  # it counts as no answer
        else:
            self._note(reply)
            self._answer(reply.id, reply.answer)

    def _note(self, reply: Reply) -> None:
        if isinstance(reply.answer, Welcome):
            self._welcome = reply.answer
        elif isinstance(reply.answer, FullState):
            self.replica.replace(reply.answer, self._clock())
        if isinstance(reply.answer, FullState) or not self._keeps_replica:
            self._watch.on_state(self._clock())

    def _take_event(self, event: LinkEvent) -> None:
        if event is LinkEvent.DOWN:
            self._watch.on_disconnected(self._clock(), self._wall_clock())
        elif event is LinkEvent.KEY_REFUSED:
            self._refuse(KEY_REFUSED)
        elif event is LinkEvent.UNSAFE:
            self._refuse(UNSAFE)

    # ---- the link

    def _refuse(self, why: str) -> None:
        self._watch.on_refused(self._clock(), why)

    def _keep_link(self) -> None:
        now = self._clock()
        self._watch.update(now, self._wall_clock())
        if self.link.state in DOWN and not self._was_down:
            self._fail(list(self._waiting))
        self._was_down = self.link.state in DOWN
        if self._watch.retry_is_due(now):
            self._fail([id for id, waiting in self._waiting.items() if waiting.sent_at is not None])
            self._connection.reopen()
            self._asked_full_at = self._pinged_at = float("-inf")

    def _fail(self, ids: list[int]) -> None:
        """Refuse what was on its way to an engine that went: no other answers it."""
        for id in ids:
            self._answer(id, Refusal(self.link.detail))
