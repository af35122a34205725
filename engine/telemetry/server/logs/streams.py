"""Whose logs are wanted: the jobs behind a request, and in which stream each writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.backends.protocol import Introspection
from engine.telemetry.schema.messages import ENDED, JobRow, JobState
from engine.telemetry.server.snapshot_builder import SnapshotBuilder

RESOLVED_FOR_S: Final = 15.0
"""A child's stream is asked for anew after this time: another attempt writes into another one."""
ASKED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class LoggingJob:
    """One task's job; `stream` is empty while none is known."""

    task_id: str
    manager: str
    job_id: str
    state: JobState
    stream: str

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


@dataclass(slots=True, eq=False)
class LogJobs:
    """Looks into the books; streams that they don't know (children, ended jobs) are asked for, many at once."""

    overview: SnapshotBuilder
    clock: Callable[[], float] = time.monotonic
    _resolved: dict[str, tuple[float, str]] = field(default_factory=dict)

    def introspection(self, manager: str) -> Introspection:
        return self.overview.managers[manager].introspection

    def of(self, task_ids: Sequence[str], manager: str, limit: int) -> tuple[list[LoggingJob], int]:
        """`limit` of these tasks' jobs, and how many there are; of no tasks all that run, the longest running first."""
        found = self._named(task_ids) if task_ids else self._running()
        rows = [row for row in found if manager in ("", row.manager)]
        return [self._job(row) for row in rows[:limit]], len(rows)

    async def resolve(self, jobs: Iterable[LoggingJob]) -> None:
        """Ask for the streams that nobody told."""
        now = self.clock()
        wanted: dict[str, list[str]] = {}
        for job in jobs:
            if job.job_id and not self._told(job) and self._is_due(job, now):
                wanted.setdefault(job.manager, []).append(job.job_id)
        asking = (self._ask(manager, ids[:ASKED_AT_ONCE], now) for manager, ids in wanted.items())
        await asyncio.gather(*asking)

    def forget(self, but: Iterable[LoggingJob]) -> None:
        """What nobody watches any more need not be kept."""
        kept = {job.job_id for job in but}
        self._resolved = {job_id: found for job_id, found in self._resolved.items() if job_id in kept}

    def _is_due(self, job: LoggingJob, now: float) -> bool:
        at, stream = self._resolved.get(job.job_id, (now, ""))
        return not stream or (not job.has_ended and now - at >= RESOLVED_FOR_S)

    async def _ask(self, manager: str, job_ids: list[str], now: float) -> None:
        streams = await self.introspection(manager).log_streams(job_ids)
        for job_id in job_ids:
            _, before = self._resolved.get(job_id, (now, ""))
            self._resolved[job_id] = (now, streams.get(job_id, before))

    def _named(self, task_ids: Sequence[str]) -> Iterator[JobRow]:
        for task_id in task_ids:
            holder = self.overview.holder_of(task_id)
            row = holder.book.row(task_id) if holder is not None else None
            if row is not None:
                yield row

    def _running(self) -> list[JobRow]:
        books = [book for book in self.overview.books if book.counts[JobState.RUNNING] > 0]
        rows = [row for book in books for row in book.rows() if row.state is JobState.RUNNING]
        return sorted(rows, key=lambda row: row.since)

    def _job(self, row: JobRow) -> LoggingJob:
        job = LoggingJob(row.task_id, row.manager, row.job_id, row.state, "")
        _, resolved = self._resolved.get(row.job_id, (0.0, ""))
        return LoggingJob(row.task_id, row.manager, row.job_id, row.state, self._told(job) or resolved)

    def _told(self, job: LoggingJob) -> str:
        """The stream that the backend saw by itself."""
        record = self.overview.managers[job.manager].book.record(job.task_id)
        return "" if record is None else record.log_stream
