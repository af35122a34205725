"""Publisher of ticks to subscribers, and into the recording if there is one.

A tick is made once for all subscribers; without any, only its number goes up. A subscriber that is too slow (or
stopped) misses ticks, sees a gap in the numbers, and asks for the full state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
import zmq

from engine.telemetry.schema.messages import IDLE_TICK_S, TICK_S, FullState, Snapshot, Tick
from engine.telemetry.schema.wire import encode
from engine.telemetry.server.jobs.journal_watch import JournalWatch
from engine.telemetry.server.snapshot_builder import SnapshotBuilder

logger = logging.getLogger(__name__)

_IDLE_TICKS: Final = round(IDLE_TICK_S / TICK_S)
_SUBSCRIBED: Final = b"\x01"


class TickRecorder(Protocol):
    """Recorder of what is published; `engine.telemetry.recording.Recorder`."""

    def record(self, tick: Tick, full_state: Callable[[], FullState]) -> None:
        """Write a tick, or the full state instead. Raises `OSError`."""


class Publisher:
    """Loop of ticks.

    `socket` is an XPUB: it tells when the first subscriber comes and when the last one goes. None: only recorded.
    """

    def __init__(
        self,
        engine: str,
        builder: SnapshotBuilder,
        socket: zmq.Socket[bytes] | None,
        recorder: TickRecorder | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.seq = 0
        self._builder = builder
        self._socket = socket
        self._recorder = recorder
        self._sleep = sleep
        self._monotonic = monotonic
        self._is_heard = False
        self._was_paged = False
        self._quiet = _IDLE_TICKS
        self._watches = [JournalWatch(manager, builder.journal) for manager in builder.managers.values()]

    async def run(self) -> None:
        """Sample and publish every `TICK_S`, until cancelled."""
        while True:
            due = self._monotonic() + TICK_S
            await self._sleep(TICK_S)
            self._builder.vitals.sample(max(0.0, self._monotonic() - due))
            self._builder.sample_trends()
            self.publish_due()

    def publish_due(self) -> None:
        """Publish a tick when something changed, or when the last one is `IDLE_TICK_S` ago. Call it every `TICK_S`."""
        self._take_subscriptions()
        for watch in self._watches:
            watch.look(self._builder.clock())
        self._quiet += 1
        if self._quiet >= _IDLE_TICKS or self._builder.has_changes:
            self._quiet = 0
            self._tick()

    def full_state(self) -> FullState:
        """Everything as it is with the newest tick; no rows when there are too many."""
        snapshot = self._builder.snapshot()
        rows = () if snapshot.paged else tuple(self._builder.rows())
        return FullState(self.engine, self.seq, snapshot, rows)

    def _tick(self) -> None:
        self.seq += 1
        events = self._builder.journal.take_new()
        if not self._is_heard and self._recorder is None:
            self._builder.drop_changes()
            return
        if self._is_heard:
            self._builder.note_viewer()
        tick = msgspec.structs.replace(self._make(self._builder.snapshot()), events=events)
        if self._is_heard and self._socket is not None:
            self._socket.send(encode(tick), zmq.NOBLOCK)
        if self._recorder is not None:
            self._record(self._recorder, tick)

    def _record(self, recorder: TickRecorder, tick: Tick) -> None:
        try:
            recorder.record(tick, self._recorded_state)
        except OSError as error:
            logger.error("the recording ends here, it can't be written: %s", error.strerror)
            self._recorder = None

    def _recorded_state(self) -> FullState:
        """With all events: a recording begins anywhere, and nobody can be asked later."""
        return msgspec.structs.replace(self.full_state(), events=self._builder.journal.after(-1))

    def _make(self, snapshot: Snapshot) -> Tick:
        if snapshot.paged:
            self._builder.drop_changes()
            self._was_paged = True
            return Tick(self.engine, self.seq, snapshot)
        if self._was_paged:  # a replica has to fetch all rows again: a gap says so
            self._was_paged = False
            self.seq += 1
        changed, removed = self._builder.take_changes()
        return Tick(self.engine, self.seq, snapshot, tuple(changed), tuple(removed))

    def _take_subscriptions(self) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._is_heard = message[:1] == _SUBSCRIBED
