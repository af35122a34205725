"""The publisher: one tick after the other to whoever subscribed, and into the recording if there is one.

A tick is made once, however many listen; while nobody does, only its number goes up. Who is too slow (or stopped)
misses ticks, sees a gap in the numbers, and asks for the full state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import zmq

from engine.telemetry.schema.messages import IDLE_TICK_S, TICK_S, FullState, Snapshot, Tick
from engine.telemetry.schema.wire import encode
from engine.telemetry.server.snapshot_builder import SnapshotBuilder

logger = logging.getLogger(__name__)

_IDLE_TICKS: Final = round(IDLE_TICK_S / TICK_S)
_SUBSCRIBED: Final = b"\x01"


class Keeper(Protocol):
    """Keeps what is published; `engine.telemetry.recording.Recorder`."""

    def record(self, tick: Tick, full_state: Callable[[], FullState]) -> None: ...


class Publisher:
    """`socket` is an XPUB: it tells when the first listener comes and when the last one goes. None: only recorded."""

    def __init__(
        self,
        engine: str,
        overview: SnapshotBuilder,
        socket: zmq.Socket[bytes] | None,
        recorder: Keeper | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.seq = 0
        self._overview = overview
        self._socket = socket
        self._recorder = recorder
        self._sleep = sleep
        self._monotonic = monotonic
        self._is_heard = False
        self._was_windowed = False
        self._quiet = _IDLE_TICKS

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            due = self._monotonic() + TICK_S
            await self._sleep(TICK_S)
            self._overview.vitals.sample(max(0.0, self._monotonic() - due))
            self._overview.sample_trends()
            self.beat()

    def beat(self) -> None:
        """Every `TICK_S`: a tick when something changed, or when the last one is long ago."""
        self._take_subscriptions()
        self._quiet += 1
        if self._quiet >= _IDLE_TICKS or self._overview.has_changes:
            self._quiet = 0
            self._tick()

    def full_state(self) -> FullState:
        snapshot = self._overview.snapshot()
        rows = () if snapshot.windowed else tuple(self._overview.rows())
        return FullState(self.engine, self.seq, snapshot, rows)

    def _tick(self) -> None:
        self.seq += 1
        if not self._is_heard and self._recorder is None:
            self._overview.drop_changes()
            return
        if self._is_heard:
            self._overview.note_viewer()
        tick = self._make(self._overview.snapshot())
        if self._is_heard and self._socket is not None:
            self._socket.send(encode(tick), zmq.NOBLOCK)
        if self._recorder is not None:
            self._record(self._recorder, tick)

    def _record(self, recorder: Keeper, tick: Tick) -> None:
        try:
            recorder.record(tick, self.full_state)
        except OSError as error:
            logger.error("the recording ends here, it can't be written: %s", error.strerror)
            self._recorder = None

    def _make(self, snapshot: Snapshot) -> Tick:
        if snapshot.windowed:
            self._overview.drop_changes()
            self._was_windowed = True
            return Tick(self.engine, self.seq, snapshot)
        if self._was_windowed:  # who mirrors rows again has to fetch them all: a gap says so
            self._was_windowed = False
            self.seq += 1
        changed, removed = self._overview.take_changes()
        return Tick(self.engine, self.seq, snapshot, tuple(changed), tuple(removed))

    def _take_subscriptions(self) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._is_heard = message[:1] == _SUBSCRIBED
