"""SIGTERM, which AWS Batch sends 30 s before it kills a job: the task has most of that time, its result the rest."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from batch_job_quoting import log
from batch_job_wire.protocol import RunnerExit

_GRACE_S: Final = 20.0  # for the task to end by itself; leaves the runner 10 s of AWS's 30


class Terminated(BaseException):
    """SIGTERM came before the task's process existed."""


def note_terminated() -> RunnerExit:
    """Say so in the job's log; the exit code that asks for another attempt."""
    log(f"ended by SIGTERM, the function was not called: exit {RunnerExit.TRY_AGAIN:d}")
    return RunnerExit.TRY_AGAIN


class SigtermGuard:
    """SIGTERM ends the runner before the task's process exists, goes to that process while it runs, then is noted."""

    def __init__(self, note_task: Callable[[int], None] = lambda pid: None) -> None:
        self.task: int | None = None
        self._note_task = note_task
        self._forked = False
        self._received_at: float | None = None

    def __enter__(self) -> SigtermGuard:
        self._previous = signal.signal(signal.SIGTERM, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._previous)

    @property
    def received(self) -> bool:
        """Whether SIGTERM came."""
        return self._received_at is not None

    def fork(self, fork: Callable[[], int | None] = os.fork) -> int | None:
        """What `fork` gives, with no SIGTERM that can fall into it. Raises `Terminated`.

        A process that it forks itself starts with SIGTERM blocked.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        if self.received:  # between two tasks of a pack
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            raise Terminated
        task = fork()
        if task:
            self.task, self._forked = task, True
            self._note_task(task)
        if task != 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return task

    def enforce_grace(self) -> None:
        """Kill a task that goes on after its grace period."""
        if self.task and self._received_at and time.monotonic() - self._received_at > _GRACE_S:
            log("the task ignores SIGTERM, sending SIGKILL")
            os.kill(self.task, signal.SIGKILL)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._received_at = self._received_at or time.monotonic()
        log("got SIGTERM: the job's time-out, a termination, or a host that is taken away")
        if self.task:
            os.kill(self.task, signal.SIGTERM)
        elif not self._forked:
            raise Terminated
