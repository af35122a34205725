"""Heartbeats of the worker link, and the barrier built on their echoes.

The scheduler acknowledges neither results nor objects, but it answers each heartbeat with an echo, in order. So
the echo of a heartbeat that was sent after a TaskResult proves that the scheduler has handled that result.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from engine.messages import LinkDown, WorkerVitals

SILENCE_S: Final = 15.0
"""A connection on which nothing came for this long, and for three heartbeats, is given up.

Not one without an echo alone: while a client sends thousands of tasks, heartbeats wait behind them at the scheduler,
which hands us these tasks meanwhile.
"""

Send = Callable[[WorkerVitals], Awaitable[None]]


class HeartbeatManager:
    """Heartbeats of one worker connection, and the count of their echoes. One instance a connection."""

    def __init__(
        self,
        send: Send,
        vitals: Callable[[int], WorkerVitals],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._vitals = vitals
        self._interval = interval
        self._clock = clock
        self._sent_at: deque[float] = deque()
        self._sent = 0
        self._echoed = 0
        self._last_heard = clock()
        self._latency = 0.0
        self._barriers: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def has_echo(self) -> bool:
        """The scheduler has answered on this connection."""
        return self._echoed > 0

    @property
    def owed_s(self) -> float:
        """For how long the oldest heartbeat without an echo has been waiting for it; 0.0: there is none."""
        return self._clock() - self._sent_at[0] if self._sent_at else 0.0

    @property
    def sent(self) -> int:
        """Number of heartbeats sent."""
        return self._sent

    @property
    def echoed(self) -> int:
        """Number of echoes received; the scheduler has handled all that was sent before as many heartbeats."""
        return self._echoed

    async def run(self) -> None:
        """Send heartbeats until the connection ends. Raises `LinkDown` when nothing comes for too long."""
        while True:
            await self.beat()
            await asyncio.sleep(self._interval if self.has_echo else min(self._interval, 1.0))
            self._check_silence()

    async def beat(self) -> None:
        """Send one heartbeat. Raises `LinkDown`."""
        self._sent += 1
        self._sent_at.append(self._clock())
        await self._send(self._vitals(int(self._latency * 1_000_000)))

    def note_heard(self) -> None:
        """Something came from the scheduler on this connection, whatever it was."""
        self._last_heard = self._clock()

    def on_echo(self) -> None:
        """Count an echo, measure the latency (half the round trip), release the barriers it reaches."""
        self._echoed += 1
        self.note_heard()
        if self._sent_at:
            self._latency = (self._last_heard - self._sent_at.popleft()) / 2
        while self._barriers and self._barriers[0][0] <= self._echoed:
            reached = self._barriers.popleft()[1]
            if not reached.done():
                reached.set_result(None)

    async def barrier(self) -> None:
        """Wait until the scheduler has handled all that was sent before. Raises `LinkDown` when the link ends."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._barriers.append((self._sent + 1, reached))
        try:
            await self.beat()
        except BaseException:
            reached.cancel()  # nobody waits for it, nor for how it ends
            raise
        await reached

    def close(self) -> None:
        """Fail the open barriers: the connection ended before they were reached."""
        for _, reached in self._barriers:
            if not reached.done():
                reached.set_exception(LinkDown("the connection to the scheduler ended before the barrier"))
        self._barriers.clear()

    def _check_silence(self) -> None:
        silence = self._clock() - self._last_heard
        if silence > max(SILENCE_S, 3 * self._interval):
            raise LinkDown(f"no echo from the scheduler for {silence:.0f} s")
