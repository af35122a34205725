"""Collection window: tasks of one resource shape that arrive together become one submission.

A window starts with its first task. It closes when nothing more came for a moment, after half a second in any
case, and at once at the size limits. While nothing is under way it closes after that moment though more comes: what is
first need not wait for the crowd that may follow. While no submission could be sent (AWS throttles them, or as many as
may be are being sent) it stays open up to the size limits: what comes meanwhile travels in one. It waits up to a second
for tasks that are known to follow: those whose objects are being read (on a busy machine they trickle in) and, while
tasks wait for slots, those that refill what gets free. Else each of them would be a submission of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from engine.aws import limits
from engine.aws.budget import Clock
from engine.backends.batch.ledger import BatchTask
from engine.model import ResourceShape

QUIET_S: Final = 0.025
"""A lone task waits this long for company."""
QUIET_MANY_S: Final = 0.1
"""A window that holds a crowd waits longer for stragglers: one submission fewer is worth it."""
CROWD: Final = 20
LONGEST_S: Final = 0.5
COMPANY_S: Final = 1.0
"""The longest that tasks wait for the others which are to travel with them."""
COMPANY_POLL_S: Final = 0.05
"""How often it is looked whether they are there: in other windows, too."""
LARGEST_BYTES: Final = 64 * limits.MIB


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Don't make it."""


CallLater = Callable[[float, Callable[[], None]], Timer]


@dataclass(slots=True, eq=False)
class _Window:
    opened_at: float
    last_at: float
    tasks: list[BatchTask] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)
    size: int = 0
    company: int = 0
    """As its last task said: nobody knows better what is to come."""
    leads: bool = False
    """It takes what comes in a moment, whatever follows: one submission more, and a first result sooner."""
    timer: Timer | None = None

    def added_bytes(self, task: BatchTask) -> int:
        """Bytes that the task adds; a blob that the window holds already adds nothing."""
        assert task.work is not None
        fresh = {blob.digest: len(blob.data) for blob in task.work.blobs if blob.digest not in self.digests}
        return sum(fresh.values())

    def closes_at(self) -> float:
        """When it closes if nothing more comes."""
        if self.leads:
            return self.opened_at + QUIET_S
        quiet = QUIET_MANY_S if len(self.tasks) >= CROWD else QUIET_S
        return min(self.last_at + quiet, self.opened_at + LONGEST_S)


class Collector:
    """Groups tasks into submissions and gives each to `launch`, when `wait_s` says that it would go at once.

    `is_idle` says that no task is between its window and its outcome. `call_later` is the event loop's.
    """

    def __init__(
        self,
        *,
        launch: Callable[[list[BatchTask]], None],
        wait_s: Callable[[], float],
        is_idle: Callable[[], bool],
        clock: Clock,
        call_later: CallLater,
    ) -> None:
        self._launch = launch
        self._wait_s = wait_s
        self._is_idle = is_idle
        self._clock = clock
        self._call_later = call_later
        self._windows: dict[ResourceShape, _Window] = {}

    def add(self, task: BatchTask) -> None:
        """Put the task into its shape's window; a window that is full is launched at once."""
        now = self._clock()
        window = self._windows.get(task.shape)
        if window is not None and window.tasks and window.size + window.added_bytes(task) > LARGEST_BYTES:
            self._close(task.shape)
            window = None
        if window is None:
            window = _Window(now, now, leads=not self._windows and self._is_idle())
            self._windows[task.shape] = window
            self._arm(task.shape, window, QUIET_S)
        self._put(window, task, now)
        if len(window.tasks) >= limits.ARRAY_SIZE_MAX or window.size >= LARGEST_BYTES:
            self._close(task.shape)

    def flush(self) -> None:
        """Close every window now."""
        for shape in list(self._windows):
            self._close(shape)

    def _put(self, window: _Window, task: BatchTask, now: float) -> None:
        assert task.work is not None
        window.size += window.added_bytes(task)
        window.digests.update(blob.digest for blob in task.work.blobs)
        window.tasks.append(task)
        window.company = task.work.company
        if task.work.following:
            window.company = max(window.company, self._gathered() + task.work.following)
        window.last_at = now

    def _arm(self, shape: ResourceShape, window: _Window, delay: float) -> None:
        window.timer = self._call_later(delay, lambda: self._close_if_due(shape, window))

    def _close_if_due(self, shape: ResourceShape, window: _Window) -> None:
        remaining = max(window.closes_at() - self._clock(), self._wait_s())
        if remaining > 0.001:
            self._arm(shape, window, remaining)
        elif not (window.leads or self._has_company(window)):
            self._arm(shape, window, min(COMPANY_POLL_S, window.opened_at + COMPANY_S - self._clock()))
        else:
            self._close(shape)

    def _has_company(self, window: _Window) -> bool:
        """Slots that got free are counted whatever the shapes are that refill them."""
        if self._gathered() >= window.company:
            for one in self._windows.values():
                one.company = 0
            return True
        return self._clock() > window.opened_at + COMPANY_S - 0.001

    def _gathered(self) -> int:
        return sum(len(one.tasks) for one in self._windows.values())

    def _close(self, shape: ResourceShape) -> None:
        window = self._windows.pop(shape)
        if window.timer is not None:
            window.timer.cancel()
        waiting = [task for task in window.tasks if not task.cancelled]
        if waiting:
            self._launch(waiting)
