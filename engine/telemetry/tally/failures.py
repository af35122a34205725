"""Inbox of failures: what befell jobs, by function and cause, within a bound whatever the number of jobs."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum
from typing import Final

from engine.telemetry.schema.failures import Failure, Failures, GetFailures, make_failures
from engine.telemetry.schema.groups import cause_of
from engine.telemetry.schema.messages import JobRow, JobState

CAUSES_KEPT: Final = 1_000
HOSTS_KEPT: Final = 8
NO_REASON: Final = "no reason was given"
TRIED_AGAIN: Final = "tried again by AWS Batch"
_INSTANCE: Final = re.compile(r"\bi-[0-9a-f]{6,}\b")


class Mishap(Enum):
    """What befell a job."""

    FAILED = 0
    UNKNOWN = 1
    RETRIED = 2


class _Cause:
    __slots__ = ("counts", "first_at", "hosts", "last_at", "sample")

    def __init__(self, now: float) -> None:
        self.counts = [0, 0, 0]
        self.first_at = self.last_at = now
        self.hosts: OrderedDict[str, None] = OrderedDict()
        self.sample = ""

    def note(self, mishap: Mishap, task_id: str, reason: str, at: float) -> None:
        self.counts[mishap.value] += 1
        self.first_at = min(self.first_at, at)
        if at >= self.last_at:
            self.last_at, self.sample = at, task_id
        self.sample = self.sample or task_id
        for host in _INSTANCE.findall(reason):
            self.hosts[host] = None
            self.hosts.move_to_end(host)
            if len(self.hosts) > HOSTS_KEPT:
                self.hosts.popitem(last=False)

    def failure(self, manager: str, function: str, cause: str) -> Failure:
        failed, unknown, retried = self.counts
        return Failure(
            manager=manager,
            function=function,
            cause=cause,
            failed=failed,
            unknown=unknown,
            retried=retried,
            first_at=self.first_at,
            last_at=self.last_at,
            sample=self.sample,
            hosts=tuple(reversed(self.hosts)),
        )


class FailureInbox:
    """Failures of one worker manager. With `kept` causes the one that was not seen for longest gives way."""

    def __init__(self, manager: str, kept: int = CAUSES_KEPT) -> None:
        self._manager = manager
        self._kept = kept
        self._causes: OrderedDict[tuple[str, str], _Cause] = OrderedDict()

    def note(self, mishap: Mishap, function: str, task_id: str, reason: str, at: float, signature: str = "") -> bool:
        """Note what befell a job at `at`, seconds since the epoch; True: its function's first by this cause."""
        key = function, cause_of(reason, signature) or (TRIED_AGAIN if mishap is Mishap.RETRIED else NO_REASON)
        cause = self._causes.get(key)
        is_first = cause is None
        if cause is None:
            cause = self._causes[key] = _Cause(at)
            if len(self._causes) > self._kept:
                self._causes.popitem(last=False)
        self._causes.move_to_end(key)
        cause.note(mishap, task_id, reason, at)
        return is_first

    def failures(self) -> list[Failure]:
        """All causes that are kept."""
        return [each.failure(self._manager, function, cause) for (function, cause), each in self._causes.items()]


def failures_of_rows(rows: Iterable[JobRow], wanted: GetFailures, now: float) -> Failures:
    """Answer a `GetFailures` out of rows, which are all that there are: of those that were tried again, the last."""
    inboxes: dict[str, FailureInbox] = {}
    for row in rows:
        mishap = _mishap_of(row)
        if mishap is not None and wanted.manager in ("", row.manager):
            inbox = inboxes.setdefault(row.manager, FailureInbox(row.manager))
            inbox.note(mishap, row.function, row.task_id, row.reason, row.since, row.cause)
    return make_failures([each for inbox in inboxes.values() for each in inbox.failures()], wanted, now)


def _mishap_of(row: JobRow) -> Mishap | None:
    if row.state is JobState.FAILED:
        return Mishap.FAILED
    if row.state is JobState.UNKNOWN:
        return Mishap.UNKNOWN
    return Mishap.RETRIED if row.attempt > 1 else None
