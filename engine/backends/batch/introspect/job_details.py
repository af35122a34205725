"""Describes single jobs for people: shared, bounded, and never older than it says."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.aio import cancel_and_wait
from engine.aws import limits
from engine.aws.budget import Clock
from engine.aws.client import DESCRIBE_JOBS, AwsClient
from engine.aws.error_text import describe_error
from engine.aws.errors import AwsError
from engine.backends.batch.introspect.job_description import description_of
from engine.backends.batch.track.failure import JobEnd
from engine.model import Description

FRESH_S: Final = 2.0
"""A job is not described again within this time."""
KEPT: Final = 200
"""Descriptions at most, of a few KiB each."""
PATIENCE_S: Final = 5.0
TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class _KeptDetails:
    since: float
    reading: asyncio.Task[Description]


@dataclass(slots=True, eq=False)
class JobDetails:
    """`wall` gives seconds since the epoch."""

    caller: AwsClient
    clock: Clock
    wall: Callable[[], float]
    _kept: OrderedDict[str, _KeptDetails] = field(default_factory=OrderedDict)

    async def describe(self, job_id: str) -> Description:
        """Askers at the same time share one call; one that is cancelled takes it from nobody."""
        kept = self._kept.get(job_id)
        if kept is None or (kept.reading.done() and self.clock() - kept.since >= FRESH_S):
            before = kept.reading.result() if kept is not None else Description()
            kept = _KeptDetails(self.clock(), asyncio.create_task(self._read(job_id, before)))
            self._kept[job_id] = kept
            self._drop_old()
        return await asyncio.shield(kept.reading)

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Those that are known, of a hundred jobs at most."""
        try:
            jobs = await self._jobs(job_ids)
        except (AwsError, TimeoutError):
            return {}
        streams = {job["jobId"]: JobEnd.of(job).log_stream for job in jobs}
        return {job_id: stream for job_id, stream in streams.items() if stream}

    async def close(self) -> None:
        """Ends what is being read."""
        await cancel_and_wait({kept.reading for kept in self._kept.values()})

    async def _read(self, job_id: str, before: Description) -> Description:
        """What was read before stays when AWS doesn't answer; its time tells how old it is."""
        try:
            jobs = await self._jobs([job_id])
        except AwsError as error:
            return replace(before, note=describe_error(error))
        except TimeoutError:
            why = self.caller.gate.reason or f"AWS did not answer within {PATIENCE_S:.0f} s"
            return replace(before, note=why)
        if not jobs:
            return replace(before, note="AWS Batch does not know the job; it forgets a job about a day after its end")
        return description_of(jobs[0], self.wall())

    async def _jobs(self, job_ids: Sequence[str]) -> list[dict[str, Any]]:
        asked = list(job_ids[: limits.DESCRIBE_JOBS_IDS])
        if not asked:
            return []
        async with asyncio.timeout(PATIENCE_S):
            answer = await self.caller.call(DESCRIBE_JOBS, tries=TRIES, jobs=asked)
        jobs: list[dict[str, Any]] = answer["jobs"]
        return jobs

    def _drop_old(self) -> None:
        done = [job_id for job_id, kept in self._kept.items() if kept.reading.done()]
        for job_id in done[: max(0, len(self._kept) - KEPT)]:
            del self._kept[job_id]
