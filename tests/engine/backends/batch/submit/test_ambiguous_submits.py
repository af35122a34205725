"""A lost SubmitJob long after it was given up: its submission is over whatever AWS answers, or its job is ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.aws.batch_jobs import JobsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.ambiguous_submits import FINAL_LISTING_AFTER_S, AmbiguousSubmits
from engine.model import ResourceShape
from tests.support.engine.fake_clock import FakeClock

REFUSED = AwsError("ListJobs", ErrorAction.REFUSED, "AccessDeniedException", "not allowed")


class LostSubmit:
    """Batch after a submission got lost: nothing is listed until `surface`."""

    def __init__(self) -> None:
        self.refusing: set[str] = set()
        self.refusals = 1_000
        self.job: dict[str, Any] | None = None
        self.clock = FakeClock()
        self.ledger = Ledger()
        self.submission = Submission(
            "5" * 32, "wm_a" + "5" * 32, (BatchTask(bytes(16), ResourceShape(), None),) * 2, ResourceShape()
        )
        self.ledger.submissions[self.submission.submission_id] = self.submission
        self.background: list[asyncio.Task[None]] = []
        self.ambiguous = AmbiguousSubmits(
            client=self,  # type: ignore[arg-type]
            jobs=JobsClient(self),  # type: ignore[arg-type]
            ledger=self.ledger,
            layout=StoreLayout("bucket", "prefix", "wm"),
            queue="queue",
            spawn=lambda work: self.background.append(asyncio.ensure_future(work)),
            sleep=self.clock.sleep,
        )

    async def call(self, operation: Any, *, tries: int | None = None, **arguments: Any) -> dict[str, Any]:
        if operation.name in self.refusing and self.refusals:
            self.refusals -= 1
            raise REFUSED
        jobs = [self.job] if self.job is not None else []
        return {"jobSummaryList": jobs, "jobs": jobs}

    async def give_up(self) -> None:
        assert await self.ambiguous.settle(self.submission) is None

    def surface(self) -> None:
        parameters = {"submission": self.submission.submission_id}
        self.job = {"jobId": "late", "status": "RUNNABLE", "parameters": parameters}

    async def pass_time(self) -> None:
        await asyncio.gather(*self.background)


async def test_a_listing_that_is_refused_for_a_moment_is_made_again_and_ends_the_job() -> None:
    lost = LostSubmit()
    await lost.give_up()
    lost.surface()
    lost.refusing, lost.refusals = {"ListJobs"}, 1
    await lost.pass_time()
    assert (lost.submission.job_id, lost.submission.ended) == ("late", False)


async def test_listings_that_stay_refused_end_the_submission_after_an_hour() -> None:
    lost = LostSubmit()
    await lost.give_up()
    lost.refusing = {"ListJobs"}
    await lost.pass_time()
    assert (lost.submission.job_id, lost.submission.ended) == (None, True)
    assert lost.clock.now - 1000.0 >= 6 * FINAL_LISTING_AFTER_S


async def test_a_late_job_that_can_not_be_terminated_is_followed_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    lost = LostSubmit()
    await lost.give_up()
    lost.surface()
    lost.refusing = {"TerminateJob"}
    await lost.pass_time()
    assert lost.ledger.followed() == [lost.submission]
    assert "job late" in caplog.text
