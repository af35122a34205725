"""Capabilities that tasks ask for: the scheduler's monitor tells them, a hand-out to a worker only their number.

The word comes with the task or some milliseconds behind it, so a task waits for it, for seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol
from urllib.parse import urlsplit

from engine.config.settings import ManagerConfig
from engine.messages import CapabilitiesTold, LinkDown, TaskArrived

logger = logging.getLogger(__name__)

NAMELESS: Final = ""
"""Name of every capability that a scheduler up to 2.9 sends to a worker."""
MONITOR_PORT_OFFSET: Final = 2
"""Where a scheduler listens for monitors unless its `--monitor-address` says otherwise."""
OPEN_S: Final = 3.0
RETRY_S: Final = 10.0
WORD_S: Final = 3.0
"""Milliseconds, but for a machine that has no time for the stream."""
KEPT_WORDS: Final = 10_000
"""Words whose tasks have not come: more than are ever on their way."""

Accept = Callable[[TaskArrived], None]
Word = Callable[[], CapabilitiesTold | None]
"""Reads a message; None for one without meaning here. Most are of tasks that ask for nothing, and are never read."""


class MonitorStream(Protocol):
    """One subscription; `engine.scaler_link.MonitorChannel`. Both raise `LinkDown`."""

    async def receive(self) -> Word:
        """Wait for the next message."""

    def close(self) -> None:
        """End the subscription."""


@dataclass(frozen=True, slots=True)
class _WaitingTask:
    task: TaskArrived
    accept: Accept
    timer: asyncio.TimerHandle


class AskedCapabilities:
    """Holder of tasks until it is known what they ask for. One a connection to the scheduler.

    `subscribe` makes a stream or raises `LinkDown`; `address` is for people.
    """

    def __init__(self, subscribe: Callable[[], Awaitable[MonitorStream]], address: str) -> None:
        self._subscribe = subscribe
        self._address = address
        self._stream: MonitorStream | None = None
        self._unread: deque[Word] = deque(maxlen=KEPT_WORDS)
        """Of tasks that have not come, or did not have to wait."""
        self._told: OrderedDict[bytes, Mapping[str, int]] = OrderedDict()
        self._waiting: dict[bytes, _WaitingTask] = {}
        self._then: list[Callable[[], None]] = []
        self._is_lack_told = False

    async def open(self) -> None:
        """Subscribe, if that can be done within `OPEN_S`: words of tasks that come later are not missed."""
        try:
            self._stream = await asyncio.wait_for(self._subscribe(), OPEN_S)
        except (LinkDown, TimeoutError):
            return
        self._is_lack_told = False
        logger.debug("listening to the scheduler's monitor at %s", self._address)

    async def run(self) -> None:
        """Take words as they come; subscribe again every `RETRY_S` while nobody listens."""
        while True:
            if self._stream is None:
                await asyncio.sleep(RETRY_S)
                await self.open()
                continue
            try:
                word = await self._stream.receive()
            except LinkDown:
                self._end_stream()
                continue
            self._unread.append(word)
            if self._waiting:
                self._read_words()

    def hold(self, task: TaskArrived, accept: Accept) -> None:
        """Hand the task to `accept`, at once or when its word has come. Without one it asks for nothing."""
        if NAMELESS not in task.capabilities:
            accept(task)
            return
        self._read_words()
        if task.task_id in self._told:
            accept(replace(task, capabilities=self._told.pop(task.task_id)))
        elif self._stream is None:
            self._accept_unknown(task, accept)
        else:
            timer = asyncio.get_running_loop().call_later(WORD_S, self.release, task.task_id)
            self._waiting[task.task_id] = _WaitingTask(task, accept, timer)

    def release(self, task_id: bytes) -> None:
        """Wait no longer for the word of this task, if it waits."""
        waiting = self._stop_waiting(task_id)
        if waiting is not None:
            self._accept_unknown(waiting.task, waiting.accept)
            self._call_when_none_waits()

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call it as soon as no task waits for its word."""
        self._then.append(call)
        self._call_when_none_waits()

    def close(self) -> None:
        """Forget what waits: the scheduler hands it out again."""
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        self._waiting.clear()
        self._unread.clear()
        self._then.clear()
        self._end_stream()

    def _read_words(self) -> None:
        while self._unread:
            told = self._unread.popleft()()
            if told is not None:
                self._on_told(told)

    def _on_told(self, told: CapabilitiesTold) -> None:
        waiting = self._stop_waiting(told.task_id)
        if waiting is not None:
            waiting.accept(replace(waiting.task, capabilities=told.capabilities))
            self._call_when_none_waits()
        elif told.capabilities:
            self._told[told.task_id] = told.capabilities
            if len(self._told) > KEPT_WORDS:
                self._told.popitem(last=False)

    def _stop_waiting(self, task_id: bytes) -> _WaitingTask | None:
        waiting = self._waiting.pop(task_id, None)
        if waiting is not None:
            waiting.timer.cancel()
        return waiting

    def _call_when_none_waits(self) -> None:
        if not self._waiting:
            calls, self._then = self._then, []
            for call in calls:
                call()

    def _accept_unknown(self, task: TaskArrived, accept: Accept) -> None:
        if not self._is_lack_told:
            logger.warning(
                "tasks ask for resources that the scheduler's monitor at %s has not told: they run with those of the "
                "job definition; --scheduler-monitor-address says where the scheduler's --monitor-address is",
                self._address,
            )
            self._is_lack_told = True
        accept(replace(task, capabilities={}, asks_unknown=True))

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def monitor_address(config: ManagerConfig) -> str:
    """Address of the scheduler's monitor: as it is given, else two ports above the one that the worker connects to."""
    if config.scheduler_monitor_address is not None:
        return config.scheduler_monitor_address
    parts = urlsplit(config.worker_scheduler_address or config.scheduler_address)
    return f"{parts.scheme}://{parts.hostname}:{(parts.port or 0) + MONITOR_PORT_OFFSET}"
