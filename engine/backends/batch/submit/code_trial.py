"""Trial of the image: whether it takes code of the user's own, which nothing tells before a job of it ran.

AWS Batch tells nothing of an image. So the first job with code that ends without a result speaks for its definition:
what is under way is ended, and what comes is refused at once, instead of a job for each task of a burst.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchTask, Ledger
from engine.model import CancelReason, ResourceShape

logger = logging.getLogger(__name__)

OLD_IMAGE: Final = (
    "the job's image is of a release that doesn't know code that is sent along (--code): build it anew with "
    "scaler-batch build-image"
)

EndJobs = Callable[[Sequence[str], CancelReason], Awaitable[object]]
"""Asks AWS to end jobs, by their ids."""


class CodeTrial:
    """Verdicts on the images of job definitions."""

    def __init__(self, *, definition: Callable[[], str], ledger: Ledger, end_jobs: EndJobs, spawn: Spawn) -> None:
        self._definition = definition
        self._ledger = ledger
        self._end_jobs = end_jobs
        self._spawn = spawn
        self._passed: set[str] = set()
        self._failed: set[str] = set()

    def note_result(self, task: BatchTask) -> None:
        """A job wrote the task's result: with code, its image takes that."""
        if task.shape.code and task.submission is not None and not task.submission.is_restored:
            self._passed.add(self._definition())

    def note_refusal(self) -> None:
        """A job with code called nothing and told nothing: so will the others, unless one has done better before."""
        definition = self._definition()
        if definition in self._passed | self._failed:
            return
        self._failed.add(definition)
        logger.error(
            "tasks with code are refused until this worker manager starts anew: %s (%s)", OLD_IMAGE, definition
        )
        jobs = [one.job_id for one in self._ledger.submissions.values() if one.shape.code and not one.is_restored]
        self._spawn(self._end([job_id for job_id in jobs if job_id]))

    def image_refusal(self, shape: ResourceShape) -> str:
        """Tell why jobs of this shape are not submitted; empty: they are."""
        return OLD_IMAGE if shape.code and self._definition() in self._failed else ""

    async def _end(self, job_ids: Sequence[str]) -> None:
        if job_ids:
            await self._end_jobs(job_ids, CancelReason.OLD_IMAGE)
