"""`JobRegistry`: what one worker manager's tasks are doing and have done, as people ask for it.

The task manager tells it of every step (`TaskEvents`); telemetry reads it. Kept are all living tasks (about 1 KiB
each) and the ended ones that fit into the bound; counts go on for ever.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from engine.aws.batch_states import BatchState
from engine.jobs.entry import JobEntry
from engine.jobs.routes import RouteTotals
from engine.jobs.trends import Rates, TrendRings
from engine.model import JobObservation, Outcome, Placement
from engine.task_record import TaskRecord, TaskState
from engine.telemetry.schema.messages import ENDED, JobRecord, JobRow, JobState

ENDED_KEPT: Final = 10_000
"""Rows of ended tasks, over all managers of an engine."""
OUT_OF_SIGHT: Final = "its task must come back from the scheduler"

_UNBEGUN: Final = frozenset({TaskState.QUEUED, TaskState.LOADING, TaskState.COLLECTING, TaskState.PAUSED})
_FROM_BATCH: Final = {state: JobState(state.value) for state in BatchState if JobState(state.value) not in ENDED}


def shown_state(record: TaskRecord) -> JobState | None:
    """What people are shown for a task's state; None: what was shown before stays."""
    if record.state in _UNBEGUN:
        return JobState.QUEUED
    if record.state is TaskState.SUBMITTED:
        # Batch's own end says nothing yet: the outcome does, a moment later
        return JobState.SUBMITTED if record.batch_state is None else _FROM_BATCH.get(record.batch_state)
    if record.state is TaskState.ADOPTING:
        return JobState.UNKNOWN
    return None


class JobRegistry:
    """The record of one manager's tasks. `clock` gives seconds since the epoch."""

    def __init__(self, manager: str, ended_kept: int = ENDED_KEPT, clock: Callable[[], float] = time.time) -> None:
        self._manager = manager
        self._ended_kept = ended_kept
        self._clock = clock
        self._entries: dict[bytes, JobEntry] = {}
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self._runnable: OrderedDict[bytes, float] = OrderedDict()
        self._changed: dict[bytes, None] = {}
        self._removed: dict[bytes, None] = {}
        self._rates = Rates()
        self.counts: Counter[JobState] = Counter()
        """Of all tasks ever; a task that went back unbegun is none."""
        self.routes = RouteTotals()
        self.trends = TrendRings()

    # ---- from the task manager

    def arrived(self, record: TaskRecord) -> None:
        known = self._entries.pop(record.task_id, None)
        if known is not None:  # it ended here before, and comes again
            self._forget(known)
        now = self._clock()
        entry = self._entries[record.task_id] = JobEntry(self._manager, record, now)
        self._count(entry.task_id, None, JobState.QUEUED, now)

    def changed(self, record: TaskRecord) -> None:
        entry = self._living(record.task_id)
        if entry is None:
            return
        entry.name(record.function_name)
        state = shown_state(record)
        if record.state in (TaskState.CANCELLING, TaskState.TERMINATING):
            self._explain(entry, "cancelling")
        elif state is not None and state is not entry.state:
            entry.explain(OUT_OF_SIGHT if state is JobState.UNKNOWN else "")
            self._enter(entry, state)

    def placed(self, placement: Placement) -> None:
        self.routes.add(placement)
        for index, task_id in enumerate(placement.task_ids):
            self._place(task_id, placement, index)

    def adopted(self, placement: Placement) -> None:
        self._place(placement.task_ids[0], placement, placement.first_index)

    def seen(self, task_id: bytes, observation: JobObservation) -> None:
        entry = self._living(task_id)
        if entry is not None:
            entry.see(observation)
            self._changed[task_id] = None

    def ended(self, outcome: Outcome) -> None:
        entry = self._living(outcome.task_id)
        if entry is not None:
            entry.end(outcome)
            self._enter(entry, JobState.SUCCEEDED if outcome.succeeded else JobState.FAILED)

    def withdrawn(self, record: TaskRecord, why: str) -> None:
        entry = self._living(record.task_id)
        if entry is not None:
            entry.explain(why)
            self._enter(entry, JobState.CANCELLED)

    def left(self, record: TaskRecord) -> None:
        entry = self._living(record.task_id)
        if entry is not None:
            del self._entries[record.task_id]
            self._forget(entry)

    # ---- for telemetry

    @property
    def kept(self) -> int:
        return len(self._entries)

    @property
    def has_changes(self) -> bool:
        return bool(self._changed or self._removed)

    @property
    def oldest_runnable_at(self) -> float | None:
        return next(iter(self._runnable.values()), None)

    def rates(self) -> dict[JobState, float]:
        return self._rates.at(self._clock())

    def rows(self) -> list[JobRow]:
        return [entry.row() for entry in self._entries.values()]

    def take_changes(self) -> tuple[list[JobRow], list[str]]:
        """Rows that changed since the last call, and the ids of those that are gone."""
        rows = [self._entries[task_id].row() for task_id in self._changed if task_id in self._entries]
        removed = [task_id.hex() for task_id in self._removed if task_id not in self._entries]
        self.drop_changes()
        return rows, removed

    def drop_changes(self) -> None:
        """Nobody listens."""
        self._changed.clear()
        self._removed.clear()

    def find(self, prefix: str) -> Iterator[str]:
        """Ids that begin so."""
        if len(prefix) == 32:
            yield from [prefix] if self.holds(prefix) else []
            return
        yield from (entry.hex_id for entry in self._entries.values() if entry.hex_id.startswith(prefix))

    def holds(self, task_id: str) -> bool:
        return self._entry(task_id) is not None

    def record(self, task_id: str) -> JobRecord | None:
        """Everything that the engine itself knows of the task; None: no such task here, or its row aged out."""
        entry = self._entry(task_id)
        return None if entry is None else entry.record()

    def row(self, task_id: str) -> JobRow | None:
        entry = self._entry(task_id)
        return None if entry is None else entry.row()

    # ---- inside

    def _entry(self, task_id: str) -> JobEntry | None:
        try:
            return self._entries.get(bytes.fromhex(task_id))
        except ValueError:
            return None

    def _living(self, task_id: bytes) -> JobEntry | None:
        entry = self._entries.get(task_id)
        return None if entry is None or entry.state in ENDED else entry

    def _place(self, task_id: bytes, placement: Placement, index: int) -> None:
        entry = self._living(task_id)
        if entry is not None:
            entry.place(placement, index)
            self._changed[task_id] = None

    def _explain(self, entry: JobEntry, reason: str) -> None:
        entry.explain(reason)
        self._changed[entry.task_id] = None

    def _enter(self, entry: JobEntry, state: JobState) -> None:
        now = self._clock()
        before = entry.state
        entry.enter(state, now)
        self._count(entry.task_id, before, state, now)
        if state in ENDED:
            self._ended[entry.task_id] = None
            if len(self._ended) > self._ended_kept:
                self._age_out()

    def _count(self, task_id: bytes, before: JobState | None, state: JobState, now: float) -> None:
        if before is not None:
            self.counts[before] -= 1
        self.counts[state] += 1
        self._rates.entered(state, now)
        self._changed[task_id] = None
        if state is JobState.RUNNABLE:
            self._runnable[task_id] = now
        elif before is JobState.RUNNABLE:
            self._runnable.pop(task_id, None)

    def _age_out(self) -> None:
        task_id, _ = self._ended.popitem(last=False)
        del self._entries[task_id]
        self._removed[task_id] = None

    def _forget(self, entry: JobEntry) -> None:
        """As if it had never been here."""
        self.counts[entry.state] -= 1
        self._ended.pop(entry.task_id, None)
        self._runnable.pop(entry.task_id, None)
        self._removed[entry.task_id] = None
