"""Details of single jobs for viewers: shared, bounded, and never older than they say."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.aio import cancel_and_wait
from engine.aws import limits
from engine.aws.batch_jobs import BatchJob, JobsClient
from engine.aws.budget import Clock
from engine.aws.credentials_gate import CredentialsGate
from engine.aws.error_text import describe_error
from engine.aws.errors import AwsError
from engine.backends.batch.introspect.job_description import description_of
from engine.model import Description

DESCRIPTION_FRESH_S: Final = 2.0
"""A job is not described again within this time."""
DESCRIPTIONS_KEPT: Final = 200
"""Descriptions at most, of a few KiB each."""
DESCRIBE_TIMEOUT_S: Final = 5.0
DESCRIBE_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class _KeptDetails:
    since: float
    reading: asyncio.Task[Description]


class JobDetails:
    """Describes jobs by DescribeJobs, and shows each to `note`. `wall_clock` gives seconds since the epoch."""

    def __init__(
        self,
        *,
        jobs: JobsClient,
        gate: CredentialsGate,
        clock: Clock,
        wall_clock: Clock,
        note: Callable[[BatchJob], None] = lambda job: None,
    ) -> None:
        self._note = note
        self._jobs = jobs
        self._gate = gate
        self._clock = clock
        self._wall_clock = wall_clock
        self._kept: OrderedDict[str, _KeptDetails] = OrderedDict()

    async def describe(self, job_id: str) -> Description:
        """Describe a job. Concurrent requests share one call, which the cancel of one doesn't take from others."""
        kept = self._kept.get(job_id)
        if kept is None or (kept.reading.done() and self._clock() - kept.since >= DESCRIPTION_FRESH_S):
            before = kept.reading.result() if kept is not None else Description()
            kept = _KeptDetails(self._clock(), asyncio.create_task(self._read(job_id, before)))
            self._kept[job_id] = kept
            self._drop_old()
        return await asyncio.shield(kept.reading)

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Give the log streams that are known, of a hundred jobs at most; none when AWS doesn't answer."""
        try:
            jobs = await self._describe(job_ids)
        except (AwsError, TimeoutError):
            return {}
        return {job.job_id: job.log_stream for job in jobs if job.log_stream}

    async def close(self) -> None:
        """End what is being read."""
        await cancel_and_wait({kept.reading for kept in self._kept.values()})

    async def _read(self, job_id: str, before: Description) -> Description:
        """What was read before stays when AWS doesn't answer; its time tells how old it is."""
        try:
            jobs = await self._describe([job_id])
        except AwsError as error:
            return replace(before, note=describe_error(error))
        except TimeoutError:
            why = self._gate.reason or f"AWS did not answer within {DESCRIBE_TIMEOUT_S:.0f} s"
            return replace(before, note=why)
        if not jobs:
            return replace(before, note="AWS Batch does not know the job; it forgets a job about a day after its end")
        return description_of(jobs[0], self._wall_clock())

    async def _describe(self, job_ids: Sequence[str]) -> list[BatchJob]:
        async with asyncio.timeout(DESCRIBE_TIMEOUT_S):
            found = await self._jobs.describe(job_ids[: limits.DESCRIBE_JOBS_IDS], tries=DESCRIBE_TRIES)
        for job in found.values():
            self._note(job)
        return list(found.values())

    def _drop_old(self) -> None:
        done = [job_id for job_id, kept in self._kept.items() if kept.reading.done()]
        for job_id in done[: max(0, len(self._kept) - DESCRIPTIONS_KEPT)]:
            del self._kept[job_id]
