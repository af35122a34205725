"""Resolver of log streams: the jobs behind a request, and the stream that each writes to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.backends.protocol import Introspection
from engine.telemetry.schema.messages import ENDED, JobRow, JobState
from engine.telemetry.server.snapshot_builder import SnapshotBuilder

STREAM_CACHED_S: Final = 15.0
"""A child's stream is resolved again after this time: another attempt writes into another one."""
RESOLVED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class LoggingJob:
    """One task's job; `stream` is empty while none is known."""

    task_id: str
    manager: str
    job_id: str
    state: JobState
    since: float
    """When it came into that state (epoch)."""
    stream: str

    @property
    def has_ended(self) -> bool:
        """Nothing follows its state."""
        return self.state in ENDED


class LogStreamResolver:
    """Log streams from the registries; those that they lack (children, ended jobs) are asked for, many at once."""

    def __init__(self, builder: SnapshotBuilder, clock: Callable[[], float] = time.monotonic) -> None:
        self._builder = builder
        self._clock = clock
        self._resolved: dict[str, tuple[float, str]] = {}

    def introspection(self, manager: str) -> Introspection:
        """Where the logs of this manager are read."""
        return self._builder.managers[manager].introspection

    def select_jobs(self, task_ids: Sequence[str], manager: str, limit: int) -> tuple[list[LoggingJob], int]:
        """Select `limit` of these tasks' jobs, and count them all. Those that run come first, then what isn't over.

        Without tasks: of those that run, the longest running first.
        """
        found = sorted(self._named(task_ids), key=_nearness) if task_ids else self._running()
        rows = [row for row in found if manager in ("", row.manager)]
        return [self._job(row) for row in rows[:limit]], len(rows)

    async def resolve(self, jobs: Iterable[LoggingJob]) -> None:
        """Ask for the streams that the registries lack."""
        now = self._clock()
        wanted: dict[str, list[str]] = {}
        for job in jobs:
            if job.job_id and not self._recorded_stream(job) and self._is_due(job, now):
                wanted.setdefault(job.manager, []).append(job.job_id)
        asking = (self._ask(manager, ids[:RESOLVED_AT_ONCE], now) for manager, ids in wanted.items())
        await asyncio.gather(*asking)

    def forget(self, but: Iterable[LoggingJob]) -> None:
        """Drop the streams of all jobs but these."""
        kept = {job.job_id for job in but}
        self._resolved = {job_id: found for job_id, found in self._resolved.items() if job_id in kept}

    def _is_due(self, job: LoggingJob, now: float) -> bool:
        at, stream = self._resolved.get(job.job_id, (now, ""))
        return not stream or (not job.has_ended and now - at >= STREAM_CACHED_S)

    async def _ask(self, manager: str, job_ids: list[str], now: float) -> None:
        streams = await self.introspection(manager).log_streams(job_ids)
        for job_id in job_ids:
            _, before = self._resolved.get(job_id, (now, ""))
            self._resolved[job_id] = (now, streams.get(job_id, before))

    def _named(self, task_ids: Sequence[str]) -> Iterator[JobRow]:
        for task_id in task_ids:
            holder = self._builder.find_manager(task_id)
            row = holder.registry.row(task_id) if holder is not None else None
            if row is not None:
                yield row

    def _running(self) -> list[JobRow]:
        registries = [registry for registry in self._builder.registries if registry.counts[JobState.RUNNING] > 0]
        rows = [row for registry in registries for row in registry.rows() if row.state is JobState.RUNNING]
        return sorted(rows, key=lambda row: row.since)

    def _job(self, row: JobRow) -> LoggingJob:
        job = LoggingJob(row.task_id, row.manager, row.job_id, row.state, row.since, "")
        _, resolved = self._resolved.get(row.job_id, (0.0, ""))
        return replace(job, stream=self._recorded_stream(job) or resolved)

    def _recorded_stream(self, job: LoggingJob) -> str:
        """The stream that the backend observed by itself."""
        record = self._builder.managers[job.manager].registry.record(job.task_id)
        return "" if record is None else record.log_stream


def _nearness(row: JobRow) -> int:
    return 0 if row.state is JobState.RUNNING else 2 if row.state in ENDED else 1
