"""Groups of jobs: the request for them, their answer, and their orders. Import from `engine.telemetry.schema.messages`.

A group is all jobs of one worker manager that share a function, a submission, a client or a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.telemetry.schema.state import ENDED, JobState
from engine.telemetry.schema.usage import Fit, Remaining, Usage

GROUPS_LIMIT: Final = 500
"""Groups of one answer at most."""
OTHERS: Final = "(others)"
"""Key of the group that stands for all those that ended too long ago to be kept."""

WAITING: Final = (JobState.QUEUED, JobState.SUBMITTED, JobState.PENDING, JobState.RUNNABLE, JobState.STARTING)
"""States before a job runs."""


_IDS: Final = re.compile(r"\bi-[0-9a-f]{6,}|\b(?=[a-f-]*\d)[0-9a-f-]{8,}\b")
"""Instances, hosts, jobs: what differs from one event to the next of the same cause."""


def cause_of(reason: str, signature: str = "") -> str:
    """Cause that jobs of one kind of trouble share: its signature, or else a row's reason without the ids in it."""
    return signature or (_IDS.sub("*", reason) if reason else "")


class GroupBy(StrEnum):
    """What the jobs of a group share. The value is also the word of an exact filter: `function==price_leg`."""

    FUNCTION = "function"
    SUBMISSION = "submission"
    """One array job; jobs of their own and unsubmitted ones share the group without a name."""
    CLIENT = "client"
    REASON = "reason"


class Forecast(msgspec.Struct, frozen=True):
    """Seconds until the group's jobs are done: by the shorter and by the longer half of its own runs (p25 and p75)."""

    low_s: float
    high_s: float
    more: bool = False
    """The scheduler may hold more of its tasks than the worker manager: it takes at least that long."""


class JobGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """One group. `counts` are of all its jobs ever, also of those whose rows aged out; a missing state has none."""

    key: str
    manager: str
    counts: dict[JobState, int]
    changed_at: float = 0.0
    """When a job of it last changed its state."""
    retries: int = 0
    """Attempts beyond each job's first."""
    p50_s: float | None = None
    """Of how long its functions ran, like `JobRow.duration_s`; None: none has ended."""
    p95_s: float | None = None
    peak_bytes: int | None = None
    """Largest of its jobs' peaks of resident memory."""
    stragglers: int = 0
    slots: float | None = None
    """Jobs that ran at once, on average over the last five minutes in which it had any."""
    forecast: Forecast | None = None
    """None: fewer than five jobs have ended, or nothing is left, or nothing runs."""
    usage: Usage | None = None
    """What its jobs have used; None: unknown. With a filter, and out of a recording, money is by the present price."""
    remaining: Remaining | None = None
    """What they will use until they are done."""
    fit: Fit | None = None
    """Of a function: what its jobs ask for and used."""

    @property
    def jobs(self) -> int:
        """Number of its jobs."""
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        """Number of its jobs that don't run yet."""
        return sum(self.counts.get(state, 0) for state in WAITING)

    @property
    def living(self) -> int:
        """Number of its jobs that have not ended."""
        return sum(count for state, count in self.counts.items() if state not in ENDED)


class GetGroups(msgspec.Struct, frozen=True, tag=True):
    """Get groups of jobs. Answered with `Groups`. `by` is a `GroupBy`, `sort` one of `GROUP_SORTS`."""

    by: str = GroupBy.FUNCTION.value
    filter: str = ""
    """Only jobs that fit, and whose rows are kept."""
    sort: str = "urgency"
    descending: bool = False
    manager: str = ""
    """Empty: all managers."""
    limit: int = GROUPS_LIMIT


class Groups(msgspec.Struct, frozen=True, tag=True):
    """Groups in the order that was asked for."""

    by: str
    groups: tuple[JobGroup, ...]
    matching: int
    """Number of groups, those beyond the limit included."""
    total: int
    """Number of jobs in all of them."""
    at: float
    rows_only: bool = False
    """Counted are the jobs whose rows are kept: with a filter, or out of a recording."""
    counts: dict[JobState, int] = {}
    """Of the jobs in all groups, those beyond the limit included."""


GroupKey = Callable[[JobGroup], Any]


def _largest(value: float | None) -> tuple[bool, float]:
    return value is None, -(value or 0)


GROUP_SORTS: Final[Mapping[str, GroupKey]] = {
    "urgency": lambda group: (
        *(not group.key, not group.living, -group.stragglers),
        *(-group.counts.get(JobState.FAILED, 0), -group.jobs),
    ),
    "name": lambda group: group.key,
    "jobs": lambda group: -group.jobs,
    "failed": lambda group: -group.counts.get(JobState.FAILED, 0),
    "running": lambda group: -group.counts.get(JobState.RUNNING, 0),
    "waiting": lambda group: -group.waiting,
    "p50": lambda group: _largest(group.p50_s),
    "p95": lambda group: _largest(group.p95_s),
    "retries": lambda group: -group.retries,
    "memory": lambda group: _largest(group.peak_bytes),
    "cost": lambda group: _largest(None if group.usage is None else group.usage.money or group.usage.vcpu_s),
    "eta": lambda group: _largest(group.forecast.high_s if group.forecast else None),
}
"""Orders by name: first what lives and has stragglers and failures; the most, the longest, the largest."""


def sort_groups(groups: Iterable[JobGroup], sort: str, *, descending: bool = False) -> list[JobGroup]:
    """Sort groups by the order `sort`, equal ones by name. Raises `KeyError` for an unknown order."""
    key = GROUP_SORTS[sort]
    return sorted(groups, key=lambda group: (key(group), group.key, group.manager), reverse=descending)
