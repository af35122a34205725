"""Delivery of outcomes: the result into object storage, the notice to the scheduler, the proof that it was received.

A delivery is *unannounced* until a notice went out on a living connection, then *unconfirmed* until a barrier proves
that the scheduler has handled it. Only then may the backend delete what S3 holds. A barrier proves what was sent
before it: a delivery that is announced, or claimed to be, while one is awaited needs the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from engine.messages import CancelAnswer, LinkDown, ResultNotice, TaskArrived
from engine.model import Outcome, Printed, PrintedPart
from engine.scaler_link import new_result_id, pack_profile
from engine.tasks.streamed_output import Ends, StreamedOutput

logger = logging.getLogger(__name__)

CONFIRM_BATCH_S: Final = 0.2
"""Results gathered behind one barrier, so that deletions are bulk ones."""


Forget = Callable[[Sequence[bytes]], Awaitable[None]]


class Storage(Protocol):
    """Scaler's object storage; waits through its outages."""

    async def get(self, object_id: bytes, at_most: int | None) -> bytes | memoryview:
        """Read an object, or its first `at_most` bytes; waits until it exists."""

    async def put(self, object_id: bytes, data: bytes) -> None:
        """Store an object."""


class Replies(Protocol):
    """Messages of a worker to the scheduler; each raises `LinkDown` while there is no connection."""

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        """Confirm or refuse a cancel."""

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        """Announce what a task has printed, by descriptor, in this order."""

    async def announce_result(self, notice: ResultNotice) -> None:
        """Announce the end of a task, whose result is in object storage."""


class Deliveries:
    """Deliveries between their outcome and its confirmation; each costs about 300 bytes, and what its task printed."""

    def __init__(self, put: Callable[[bytes, bytes], Awaitable[None]]) -> None:
        self._put = put
        self._replies: Replies | None = None
        self._notices: dict[bytes, ResultNotice] = {}
        self._printed: dict[bytes, Printed] = {}
        """Of those in `_notices` whose clients have output streamed."""
        self._streamed = StreamedOutput()
        self._turns: dict[bytes, asyncio.Lock] = {}
        """Of tasks of which parts were sent: the notice of a task's end comes behind all of a part, never amid."""
        self._unconfirmed: dict[bytes, object] = {}
        """What the next barrier proves; each time by another object."""
        self._something_to_settle = asyncio.Event()
        self._missed_output = False
        """It was said that a job kept no output."""

    def __len__(self) -> int:
        return len(self._notices)

    def connect(self, replies: Replies) -> None:
        """Send notices through `replies` from now on."""
        self._replies = replies

    async def store(self, task: TaskArrived, outcome: Outcome) -> None:
        """Put the raw outcome where the client reads it; from here on the notice is ours to send."""
        object_id = new_result_id(task.client_id)
        await self._put(object_id, outcome.body)
        profile = pack_profile(outcome.profile.duration_s, outcome.profile.peak_bytes, outcome.profile.cpu_s)
        if task.stream_output and outcome.printed is not None:
            self._printed[task.task_id] = outcome.printed
        elif task.stream_output and outcome.attempt:
            self._note_missed_output(task.task_id)
        self._notices[task.task_id] = ResultNotice(task.task_id, task.client_id, object_id, outcome.succeeded, profile)

    def _note_missed_output(self, task_id: bytes) -> None:
        if not self._missed_output:
            self._missed_output = True
            logger.warning(
                "the client of task %s streams output, and the task's job kept none: its image is of an earlier "
                "release, build it anew",
                task_id.hex(),
            )

    async def stream(self, part: PrintedPart) -> bool:
        """Send a part of what a task that runs has printed. False: it doesn't follow what was sent, or can't be now."""
        async with self._turns.setdefault(part.task_id, asyncio.Lock()):
            taken = self._streamed.take(part)
            return taken is not None and await self._send_part(part, *taken)

    async def _send_part(self, part: PrintedPart, begins: Ends, texts: Sequence[tuple[int, str]]) -> bool:
        try:
            if texts and self._replies is not None:
                await self._replies.announce_output(part.task_id, texts)
        except LinkDown:
            self._streamed.take_back(part, begins)
            return False
        self._something_to_settle.set()
        return True

    def forget_output(self, task_id: bytes) -> None:
        """The task is over, or is not ours any more."""
        self._streamed.forget((task_id,))
        self._printed.pop(task_id, None)
        self._turns.pop(task_id, None)

    async def announce(self, task_id: bytes) -> None:
        """Send a task's notice. Without a connection nothing is sent: the task comes again on the next one."""
        notice = self._notices.get(task_id)
        if self._replies is None or notice is None:
            return
        self.keep(task_id)
        try:
            async with self._turns.get(task_id) or contextlib.nullcontext():
                await self._replies.announce_result(self._with_output(notice))
        except LinkDown:
            return
        self._unconfirmed[task_id] = object()
        self._something_to_settle.set()

    def _with_output(self, notice: ResultNotice) -> ResultNotice:
        """With what its client has not seen of what the task printed."""
        printed = self._printed.get(notice.task_id)
        if printed is None:
            return notice
        stdout, stderr = self._streamed.rest(notice.task_id, printed)
        return replace(notice, stdout=stdout, stderr=stderr)

    def keep(self, task_id: bytes) -> None:
        """Its task was claimed: no barrier before its announcement proves anything of it."""
        self._unconfirmed.pop(task_id, None)

    def on_link_lost(self) -> None:
        """The connection ended: what was announced may not have been received."""
        self._unconfirmed.clear()
        self._streamed.on_link_lost()

    def release(self, task_ids: Iterable[bytes]) -> None:
        """Forget these behind the next barrier: the scheduler had their results, or does not want them any more."""
        self._unconfirmed.update((task_id, object()) for task_id in self._notices.keys() & set(task_ids))
        self._something_to_settle.set()

    async def settle(
        self, barrier: Callable[[], Awaitable[None]], forget: Forget, ended: Callable[[Sequence[bytes]], None]
    ) -> None:
        """Drop confirmed deliveries, in batches behind one barrier, until cancelled. Raises what `barrier` raises."""
        while True:
            await self._something_to_settle.wait()
            self._something_to_settle.clear()
            await asyncio.sleep(CONFIRM_BATCH_S)
            batch, streamed = dict(self._unconfirmed), self._streamed.unproved()
            if batch or streamed:
                await barrier()
                self._streamed.prove(streamed)
            if batch:
                await forget(self._unchanged(batch))
                proved = self._unchanged(batch)
                for task_id in proved:
                    del self._unconfirmed[task_id]
                    self._notices.pop(task_id, None)
                ended(proved)

    def _unchanged(self, batch: Mapping[bytes, object]) -> tuple[bytes, ...]:
        """Those that were neither claimed nor announced since."""
        return tuple(task_id for task_id, mark in batch.items() if self._unconfirmed.get(task_id) is mark)
