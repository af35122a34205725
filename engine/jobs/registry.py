"""Registry of one worker manager's jobs: present states, rows of tables, counts and trends.

The task manager reports every step (`TaskEvents`); telemetry reads. Kept are all living tasks (about 1 KiB
each) and the ended ones that fit into the bound; counts go on for ever.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final

from engine.aws.batch_states import BatchState
from engine.jobs.entry import JobEntry
from engine.jobs.groups import JobGroups
from engine.jobs.journal import News
from engine.jobs.routes import RouteTotals
from engine.jobs.runnable import RunnableJobs
from engine.jobs.slots import Slots
from engine.jobs.stragglers import Stragglers
from engine.jobs.trends import Rates, TrendRings
from engine.model import BudgetUnit, Demand, JobObservation, Outcome, Placement, Price, demand_of
from engine.tasks.task_record import UNBEGUN, UNSENT, TaskRecord, TaskState
from engine.telemetry.schema.messages import (
    ENDED,
    EventKind,
    GroupBy,
    JobRecord,
    JobRow,
    JobState,
    Remaining,
    Usage,
)
from engine.telemetry.tally.failures import NO_REASON, FailureInbox, Mishap

ENDED_KEPT: Final = 10_000
"""Rows of ended tasks, over all managers of an engine."""
FORETELL_S: Final = 5.0
"""Between two sums of what all groups will use."""
OUT_OF_SIGHT: Final = "its task must come back from the scheduler"
NOT_IN_STORAGE: Final = "an object that it needs is not in Scaler's object storage"

_WAITING: Final = (JobState.QUEUED, JobState.SUBMITTED, JobState.PENDING, JobState.RUNNABLE)
_FROM_BATCH: Final = {state: JobState(state.value) for state in BatchState if JobState(state.value) not in ENDED}


def displayed_state(record: TaskRecord) -> JobState | None:
    """State that people see for a record; None: the one displayed before stays."""
    if record.state in UNBEGUN | UNSENT:
        return JobState.QUEUED
    if record.state is TaskState.SUBMITTED:
        # Batch's own end says nothing yet: the outcome does, a moment later
        return JobState.SUBMITTED if record.batch_state is None else _FROM_BATCH.get(record.batch_state)
    if record.state is TaskState.ADOPTING:
        return JobState.UNKNOWN
    return None


class JobRegistry:
    """Jobs of one worker manager, a `TaskEvents`. `clock` gives seconds since the epoch."""

    def __init__(self, manager: str, ended_kept: int = ENDED_KEPT, clock: Callable[[], float] = time.time) -> None:
        self._manager = manager
        self._ended_kept = ended_kept
        self._clock = clock
        self._entries: dict[bytes, JobEntry] = {}
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self._runnable = RunnableJobs()
        self._under_way: dict[bytes, float] = {}
        self._changed: dict[bytes, None] = {}
        self._removed: dict[bytes, None] = {}
        self._rates = Rates()
        self.counts: Counter[JobState] = Counter()
        """Of all tasks ever; a task that went back unbegun is none."""
        self.failed_acknowledged = 0
        """How many of the FAILED a person has acknowledged."""
        self.default_demand: Demand | None = None
        """What a job gets that asks for nothing else; None: not known yet."""
        self.routes = RouteTotals()
        self.trends = TrendRings()
        self.groups = JobGroups()
        self.failures = FailureInbox(manager)
        self.news = News()
        """For the journal."""
        self.adopted = 0
        """Tasks of a predecessor that became this manager's."""
        self._stragglers = Stragglers()
        self._foretold: tuple[float, Remaining | None] = (float("-inf"), None)
        self._slots = Slots()

    # ---- from the task manager

    def on_arrived(self, record: TaskRecord) -> None:
        """See `TaskEvents`: begin a new entry; one that ended here before is dropped."""
        former = self._entries.pop(record.task_id, None)
        if former is not None:  # it ended here before, and comes again
            self._forget(former)
        now = self._clock()
        entry = self._entries[record.task_id] = JobEntry(
            self._manager, record, now, demand_of(record.shape, self.default_demand)
        )
        if self.groups.find(GroupBy.CLIENT, entry.client) is None:
            self.news.add(EventKind.CLIENT, entry.client, entry.hex_id, now)
        self._count(entry, None, JobState.QUEUED, now)

    def on_changed(self, record: TaskRecord) -> None:
        """See `TaskEvents`: derive the displayed state."""
        entry = self._find_living(record.task_id)
        if entry is None:
            return
        is_sized = entry.set_shape(record.shape, self.default_demand)
        if entry.set_function(record.function_name) or is_sized:
            self._changed[record.task_id] = None
        state = displayed_state(record)
        if record.state in (TaskState.CANCELLING, TaskState.TERMINATING):
            self._explain(entry, "cancelling")
        elif record.state is TaskState.STALLED:
            self._explain(entry, NOT_IN_STORAGE)
        elif state is not None and state is not entry.state:
            entry.set_reason(OUT_OF_SIGHT if state is JobState.UNKNOWN else "")
            self._enter(entry, state)
            if state is JobState.UNKNOWN:
                self._note(Mishap.UNKNOWN, entry, entry.reason, "")
        elif record.state is TaskState.QUEUED and entry.reason:
            self._explain(entry, "")

    def on_placed(self, placement: Placement) -> None:
        """See `TaskEvents`: count the route, place each task."""
        self.routes.add(placement)
        for index, task_id in enumerate(placement.task_ids):
            self._place(task_id, placement, index)

    def on_adopted(self, placement: Placement) -> None:
        """See `TaskEvents`: place the task; its route was counted by the predecessor."""
        self.adopted += 1
        self._place(placement.task_ids[0], placement, placement.first_index)

    def on_observed(self, task_id: bytes, observation: JobObservation) -> None:
        """See `TaskEvents`."""
        entry = self._find_living(task_id)
        if entry is not None:
            signature = observation.cause.signature if observation.cause else ""
            for _ in range(observation.attempt - max(1, entry.attempt)):
                self._note(Mishap.RETRIED, entry, observation.reason, signature)
            entry.observe(observation, self._clock())
            self._runnable.explain(task_id, entry.row().reason)
            self._touch(entry)

    def on_ended(self, outcome: Outcome) -> None:
        """See `TaskEvents`: the entry is kept as an ended one."""
        entry = self._find_living(outcome.task_id)
        if entry is not None:
            entry.end(outcome)
            self._enter(entry, JobState.SUCCEEDED if outcome.succeeded else JobState.FAILED)
            if not outcome.succeeded:
                self._note(Mishap.FAILED, entry, entry.reason, entry.signature)

    def on_withdrawn(self, record: TaskRecord, why: str) -> None:
        """See `TaskEvents`: the entry is kept as a cancelled one."""
        entry = self._find_living(record.task_id)
        if entry is not None:
            entry.set_reason(why)
            self._enter(entry, JobState.CANCELLED)

    def on_left(self, record: TaskRecord) -> None:
        """See `TaskEvents`: drop the entry of a task that has not ended."""
        entry = self._find_living(record.task_id)
        if entry is not None:
            del self._entries[record.task_id]
            self._forget(entry)

    # ---- for telemetry

    @property
    def kept(self) -> int:
        """Number of entries in memory."""
        return len(self._entries)

    @property
    def has_changes(self) -> bool:
        """Rows changed or went since the last `take_changes`."""
        return bool(self._changed or self._removed)

    @property
    def oldest_runnable_at(self) -> float | None:
        """Since when the oldest RUNNABLE job has waited, seconds since the epoch; None without one."""
        return self._runnable.oldest_at

    @property
    def oldest_at(self) -> float | None:
        """Since when the oldest task that is under way is so, seconds since the epoch; None without one."""
        return next(iter(self._under_way.values()), None)

    @property
    def stuck(self) -> int:
        """RUNNABLE jobs over the rule, or with a reason."""
        return self._runnable.stuck(self._clock())

    @property
    def stuck_reason(self) -> str:
        """Reason of the stuck job that waits longest among those with a reason."""
        return self._runnable.reason

    @property
    def blocked(self) -> int:
        """Jobs that wait for a place, while AWS says of one of them why it can't have one."""
        return sum(self.counts[state] for state in _WAITING) if self._runnable.is_explained else 0

    def acknowledge_failures(self, failed: int) -> None:
        """Note that a person has seen so many FAILED jobs; never more than there are, nor fewer than before."""
        self.failed_acknowledged = max(self.failed_acknowledged, min(failed, self.counts[JobState.FAILED]))
        entries = (self._entries[task_id] for task_id in reversed(self._ended))
        failures = (entry for entry in entries if entry.state is JobState.FAILED)
        for entry in islice(failures, self.counts[JobState.FAILED] - self.failed_acknowledged, None):
            if entry.acknowledge():
                self._changed[entry.task_id] = None

    def usage(self, price: Price) -> Usage | None:
        """What its jobs have used, with money by this price; None: it isn't known what they have. Constant time."""
        now = self._clock()
        self.groups.use_price(price, now)
        return self.groups.total.view(now, self.groups.rate)

    def remaining(self, *, more: bool) -> Remaining | None:
        """What its jobs will use until they are done. Summed up every few seconds only."""
        now = self._clock()
        at, remaining = self._foretold
        if not 0 <= now - at < FORETELL_S:
            remaining = self.groups.remaining(now, more=more)
            self._foretold = now, remaining
        return remaining

    def used(self, unit: BudgetUnit, price: Price) -> float | None:
        """What its jobs have used, in money by this price or in vCPU-hours; None: unknown. Constant time."""
        usage = self.usage(price)
        if usage is None:
            return None
        return usage.money if unit is BudgetUnit.MONEY else usage.vcpu_hours

    def rates(self) -> dict[JobState, float]:
        """Jobs that entered each state, a second."""
        return self._rates.per_second(self._clock())

    def find_stragglers(self) -> None:
        """Mark the running jobs that have become stragglers. Call it often: it looks every few seconds."""
        for task_id in self._stragglers.find(self.groups, self._clock()):
            entry = self._entries[task_id]
            entry.straggle()
            self._touch(entry)

    def stragglers(self, by: GroupBy) -> Counter[str]:
        """Number of present stragglers by group."""
        kind = tuple(GroupBy).index(by)
        return Counter(self._entries[task_id].group_keys()[kind] for task_id in self._stragglers.found)

    @property
    def living(self) -> int:
        """Number of tasks that have not ended."""
        return len(self._entries) - len(self._ended)

    def rows(self) -> list[JobRow]:
        """Rows of all entries."""
        return [entry.row() for entry in self._entries.values()]

    def begun_rows(self) -> list[JobRow]:
        """Rows of all that got a slot: the others did nothing yet."""
        entries = (self._entries[task_id] for task_id in chain(self._slots.holders, self._ended))
        return [entry.row() for entry in entries if entry.slot is not None]

    def take_changes(self) -> tuple[list[JobRow], list[str]]:
        """Rows that changed since the last call, and the ids of those that are gone."""
        rows = [self._entries[task_id].row() for task_id in self._changed if task_id in self._entries]
        removed = [task_id.hex() for task_id in self._removed if task_id not in self._entries]
        self.drop_changes()
        return rows, removed

    def drop_changes(self) -> None:
        """Forget the changes: no one subscribes."""
        self._changed.clear()
        self._removed.clear()

    def find(self, prefix: str) -> Iterator[str]:
        """Ids that begin with `prefix`, in hex."""
        if len(prefix) == 32:
            yield from [prefix] if self.holds(prefix) else []
            return
        yield from (entry.hex_id for entry in self._entries.values() if entry.hex_id.startswith(prefix))

    def holds(self, task_id: str) -> bool:
        """There is an entry of this task."""
        return self._entry(task_id) is not None

    def record(self, task_id: str) -> JobRecord | None:
        """Record of a task; None: no such task here, or its row aged out."""
        entry = self._entry(task_id)
        return None if entry is None else entry.record()

    def row(self, task_id: str) -> JobRow | None:
        """Row of a task; None as for `record`."""
        entry = self._entry(task_id)
        return None if entry is None else entry.row()

    # ---- inside

    def _entry(self, task_id: str) -> JobEntry | None:
        try:
            return self._entries.get(bytes.fromhex(task_id))
        except ValueError:
            return None

    def _find_living(self, task_id: bytes) -> JobEntry | None:
        entry = self._entries.get(task_id)
        return None if entry is None or entry.state in ENDED else entry

    def _place(self, task_id: bytes, placement: Placement, index: int) -> None:
        entry = self._find_living(task_id)
        if entry is not None:
            entry.place(placement, index, self._clock())
            self._touch(entry)

    def _explain(self, entry: JobEntry, reason: str) -> None:
        entry.set_reason(reason)
        self._touch(entry)

    def _enter(self, entry: JobEntry, state: JobState) -> None:
        now = self._clock()
        before = entry.state
        entry.enter(state, now)
        self._count(entry, before, state, now)
        if state in ENDED:
            self._ended[entry.task_id] = None
            if len(self._ended) > self._ended_kept:
                self._age_out()

    def _note(self, mishap: Mishap, entry: JobEntry, reason: str, signature: str) -> None:
        now = self._clock()
        is_first = self.failures.note(mishap, entry.function, entry.hex_id, reason, now, signature)
        if is_first and mishap is Mishap.FAILED:
            self.news.add(EventKind.FAILURE, f"{entry.function}: {reason or NO_REASON}", entry.hex_id, now)

    def _touch(self, entry: JobEntry) -> None:
        self._changed[entry.task_id] = None
        self.groups.update(entry, self._clock())

    def _count(self, entry: JobEntry, before: JobState | None, state: JobState, now: float) -> None:
        task_id = entry.task_id
        if state in ENDED:
            self._slots.release(task_id)
        elif state is not JobState.QUEUED:
            entry.slot = self._slots.take(task_id, entry.job_id or entry.hex_id)
        if before is not None:
            self.counts[before] -= 1
        self.counts[state] += 1
        self._rates.count_entry(state, now)
        self._changed[task_id] = None
        self.groups.update(entry, now)
        self._stragglers.follow(entry)
        if state is JobState.RUNNABLE:
            self._runnable.add(task_id, now, self._entries[task_id].row().reason)
        elif before is JobState.RUNNABLE:
            self._runnable.remove(task_id)
        if state in ENDED or state is JobState.QUEUED:
            self._under_way.pop(task_id, None)
        else:
            self._under_way.setdefault(task_id, now)

    def _age_out(self) -> None:
        task_id, _ = self._ended.popitem(last=False)
        self.groups.release(self._entries.pop(task_id))
        self._removed[task_id] = None

    def _forget(self, entry: JobEntry) -> None:
        """As if it had never been here."""
        self.counts[entry.state] -= 1
        self._ended.pop(entry.task_id, None)
        self._runnable.remove(entry.task_id)
        self._under_way.pop(entry.task_id, None)
        self.failed_acknowledged = min(self.failed_acknowledged, self.counts[JobState.FAILED])
        self._stragglers.forget(entry)
        self._slots.release(entry.task_id)
        self.groups.forget(entry, self._clock())
        self._removed[entry.task_id] = None
