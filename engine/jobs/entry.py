"""Entry of one task in the job registry: kept small, made into rows and records on request."""

from __future__ import annotations

import sys
from typing import Final

from engine.causes import CauseKind, FailureCause
from engine.jobs.course import Times, count_runs, lose_run, next_times
from engine.jobs.groups import Grouped, Keys
from engine.model import Demand, JobObservation, Outcome, Placement, Profile, ResourceShape, demand_of
from engine.pickles.error_names import read_error_name
from engine.tasks.task_record import TaskRecord
from engine.telemetry.schema.groups import cause_of
from engine.telemetry.schema.messages import JobRecord, JobRow, JobState, Transition

TRANSITIONS_KEPT: Final = 50
"""Of one task: a flapping link could make any number."""
LONGEST_REASON: Final = 200

_NO_OBSERVATION: Final = JobObservation()
_NO_PROFILE: Final = Profile()
_NO_SHAPE: Final = ResourceShape()


class JobEntry:
    """Mutable entry, owned by its `JobRegistry`; the rows and records that it makes are frozen."""

    __slots__ = (
        "_acknowledged",
        "_asks_unknown",
        "_attempt",
        "_cause",
        "_created",
        "_index",
        "_manager",
        "_observation",
        "_placement",
        "_profile",
        "_resubmits",
        "_retries",
        "_row",
        "_runs_before",
        "_shape",
        "_times",
        "_told",
        "_transitions",
        "_whole_demand",
        "client",
        "demand",
        "function",
        "grouped",
        "hex_id",
        "reason",
        "since",
        "slot",
        "state",
        "straggles",
        "task_id",
    )

    def __init__(self, manager: str, record: TaskRecord, now: float, demand: Demand | None = None) -> None:
        self._manager = manager
        self.client = sys.intern(record.task.client_id.decode(errors="replace"))
        self._asks_unknown = record.task.asks_unknown
        self._shape = _NO_SHAPE if record.shape == _NO_SHAPE else record.shape
        self._placement: Placement | None = None
        self._index = 0
        self._profile = _NO_PROFILE
        self._observation = _NO_OBSERVATION
        self._transitions = [Transition(JobState.QUEUED, now)]
        self._row: JobRow | None = None
        self._cause: FailureCause | None = None
        self._told = ""
        self._attempt = 0
        self._retries = 0
        """Of earlier jobs of it."""
        self._resubmits = 0
        self._created = now
        self._times: Times = ()
        self._runs_before = 0
        """Of earlier jobs of it."""
        self._acknowledged = False
        self.task_id = record.task_id
        self.hex_id = record.task_id.hex()
        self.function = record.function_name
        self.state = JobState.QUEUED
        self.since = now
        self.reason = ""
        self._whole_demand = demand
        """What its job gets; None: unknown."""
        self.demand = demand
        """Its share of that, where the job runs several at once."""
        self.grouped: Grouped | None = None
        self.straggles = False
        self.slot: int | None = None

    # ---- as groups see it

    def group_keys(self) -> Keys:
        """Function, submission, client and cause."""
        placed = self._placement
        array = placed.job_id if placed is not None and placed.is_array else ""
        return self.function, array, self.client, cause_of(self._shown_reason, self.signature)

    @property
    def job_id(self) -> str:
        """Batch's id of the job that runs it, `parent:child` of an array's; empty before it has one."""
        return self._placement.job_of(self._index) if self._placement is not None else ""

    @property
    def signature(self) -> str:
        """Signature of what made it fail, or be tried again; empty without one."""
        cause = self._cause or self._observation.cause
        return cause.signature if cause else ""

    @property
    def _shown_reason(self) -> str:
        observed = self._observation
        return self.reason or (observed.cause.describe() if observed.cause else observed.reason[:LONGEST_REASON])

    @property
    def attempt(self) -> int:
        """Attempts begun; 0: none yet."""
        return self._observation.attempt

    @property
    def took_s(self) -> float | None:
        """How long its function ran; None until it has ended, and of one that never ran."""
        return self._profile.duration_s if self._profile is not _NO_PROFILE else None

    @property
    def peak_bytes(self) -> int:
        """Peak of its resident memory; 0: unknown."""
        return self._profile.peak_bytes

    @property
    def cpu_s(self) -> float:
        """CPU seconds of its function; 0: unknown."""
        return self._profile.cpu_s

    # ---- changes

    def enter(self, state: JobState, now: float) -> None:
        """Enter `state` at `now`, seconds since the epoch."""
        self._row = None
        self.state = state
        self.since = now
        self.straggles = False
        self._times = next_times(self._times, state, now, self.took_s)
        if len(self._transitions) == TRANSITIONS_KEPT:
            del self._transitions[1]  # how it began stays
        self._transitions.append(Transition(state, now, self.reason))

    def set_function(self, function: str) -> bool:
        """Set the function's name. False: it has it already."""
        if function == self.function:
            return False
        self._row = None
        self.function = sys.intern(function)
        return True

    def set_shape(self, shape: ResourceShape, default: Demand | None) -> bool:
        """Set what it asks for; `default` is what a job gets that asks for nothing. False: it is as it was."""
        if shape == self._shape:
            return False
        self._row = None
        self._shape, self._whole_demand = shape, demand_of(shape, default)
        self._share_demand()
        return True

    def set_reason(self, reason: str) -> None:
        """Set why it is in its state; cut to `LONGEST_REASON`."""
        self._row = None
        self.reason = reason[:LONGEST_REASON]

    def place(self, placement: Placement, index: int, now: float) -> None:
        """It is the task `index` of this submission; one that had another was sent again."""
        self._row = None
        if self._placement is not None and self._placement.job_of(self._index) != placement.job_of(index):
            self._times = next_times(self._times, JobState.QUEUED, now)
        if self._placement is not None:
            self._resubmits += 1
            self._retries += max(0, self._observation.attempt - 1)
            self._observation = _NO_OBSERVATION
            self._runs_before = count_runs(self._times)
        self._placement = placement
        self._index = index
        self._share_demand()

    def straggle(self) -> None:
        """It runs far longer than others of its function."""
        self._row = None
        self.straggles = True

    def acknowledge(self) -> bool:
        """Note that a person has seen its failure. False: that was noted before."""
        if self._acknowledged:
            return False
        self._row = None
        self._acknowledged = True
        return True

    def observe(self, observation: JobObservation, now: float) -> None:
        """Replace what was observed of its job; an attempt whose end was not seen ended at `now` at the latest."""
        self._row = None
        if observation.attempt > max(1, count_runs(self._times) - self._runs_before):
            self._times = lose_run(self._times, now)
        self._observation = observation

    def end(self, outcome: Outcome) -> None:
        """Take the outcome: its profile, the attempt, and the cause of a failure."""
        self._profile, self._attempt = outcome.profile, outcome.attempt
        if outcome.succeeded:
            self.set_reason("")
            return
        self._told = outcome.reason[:LONGEST_REASON]
        self._cause = outcome.cause
        if self._cause is None and not outcome.reason:
            self._cause = FailureCause(CauseKind.RAISED, read_error_name(outcome.body))
        self.set_reason(self._cause.describe() if self._cause else outcome.reason)

    def _share_demand(self) -> None:
        placed, whole = self._placement, self._whole_demand
        if whole is None or placed is None or placed.parallel == 1:
            self.demand = whole
        else:
            share = placed.share_of(self._index)
            self.demand = Demand(whole.vcpus * share, whole.gib * share)
        if self.grouped is not None:
            self.grouped.amount = 0j if self.demand is None else self.demand.amount

    # ---- views

    def row(self) -> JobRow:
        """Row for tables; made once for every change."""
        if self._row is None:
            self._row = self._make_row()
        return self._row

    def record(self) -> JobRecord:
        """Everything the engine itself knows; how Batch describes the job comes on top."""
        placed, profile = self._placement, self._profile
        return JobRecord(
            row=self.row(),
            client=self.client,
            index=placed.child_of(self._index) if placed is not None and placed.is_array else None,
            transitions=tuple(self._transitions),
            vcpus=self._shape.vcpus,
            memory_mib=self._shape.memory_mib,
            gpus=self._shape.gpus,
            submission=placed.submission_id if placed else "",
            submission_tasks=placed.tasks if placed else 0,
            submission_raw_bytes=placed.raw_bytes if placed else 0,
            submission_wire_bytes=placed.wire_bytes if placed else 0,
            why_route=placed.why if placed else "",
            peak_bytes=profile.peak_bytes or None,
            cpu_s=profile.cpu_s if profile is not _NO_PROFILE else None,
            log_stream=self._observation.log_stream,
            error=self._told or self.reason if self.state is JobState.FAILED else "",
            status_reason=self._observation.reason,
            cause_kind=self._cause.kind.name if self._cause else "",
            raised_at=self._cause.place if self._cause else "",
            pack_place=self._index % placed.pack + 1 if placed is not None and placed.pack > 1 else 0,
            pack_tasks=placed.mates_of(self._index) if placed is not None and placed.pack > 1 else 0,
            pack_parallel=1 if placed is None else placed.parallel,
        )

    def _make_row(self) -> JobRow:
        placed, observed = self._placement, self._observation
        attempt = self._attempt or observed.attempt
        raw_bytes, wire_bytes = placed.bytes_of(self._index) if placed else (0, 0)
        return JobRow(
            task_id=self.hex_id,
            manager=self._manager,
            state=self.state,
            since=self.since,
            created=self._created,
            function=self.function,
            route=placed.route.value if placed else "",
            raw_bytes=raw_bytes,
            wire_bytes=wire_bytes,
            attempt=attempt,
            job_id=self.job_id,
            array_size=placed.children if placed and placed.is_array else 0,
            reason=self._shown_reason,
            exit_code=observed.exit_code,
            duration_s=self.took_s,
            cause=self.signature,
            retries=self._retries + max(0, attempt - 1),
            resubmits=self._resubmits,
            client=self.client,
            straggles=self.straggles,
            slot=self.slot,
            times=self._times,
            host=observed.host,
            acknowledged=self._acknowledged,
            demand=(self.demand.vcpus, self.demand.gib) if self.demand else None,
            asks_unknown=self._asks_unknown,
        )
