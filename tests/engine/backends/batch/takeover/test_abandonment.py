"""Jobs that nobody claimed are ended, and what comes meanwhile knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.takeover.adoption import Adoption
from engine.model import CancelReason, ResourceShape

TASK_ID = bytes(16)


class Abandonment:
    """An adoption with one orphan; its job ends when the test says so."""

    def __init__(self) -> None:
        parts: Any = self
        self.job_ends = asyncio.Event()
        self.told = 0
        self.ledger = Ledger()
        self.defect: Exception | None = None
        self.adoption = Adoption(
            scan=parts,
            ledger=self.ledger,
            layout=StoreLayout("bucket", "prefix", "wm"),
            canceller=parts,
            cleaner=parts,
            blobs=parts,
            on_found=lambda: None,
            on_ended=self._count,
        )
        task = BatchTask(TASK_ID, ResourceShape(), None, BatchStage.ORPHANED)
        task.submission = Submission("1" * 32, "job", (task,), task.shape, job_id="J")
        self.adoption.add([task.submission])

    async def cancel(self, task: BatchTask, reason: CancelReason) -> None:
        assert reason is CancelReason.UNCLAIMED
        await self.job_ends.wait()
        if self.defect is not None:
            raise self.defect

    def wake(self) -> None: ...

    def _count(self) -> None:
        self.told += 1

    def seen(self) -> tuple[int, int, bool, int]:
        one = self.adoption
        return len(one), one.unclaimed_jobs, one.is_ending(TASK_ID), self.told


@pytest.fixture
async def abandonment() -> AsyncIterator[Abandonment]:
    one = Abandonment()
    abandoning = asyncio.create_task(one.adoption.abandon())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield one
    abandoning.cancel()
    await asyncio.gather(abandoning, return_exceptions=True)


async def test_a_job_that_is_being_ended_for_want_of_its_task_counts_until_its_end(abandonment: Abandonment) -> None:
    before = abandonment.seen()
    abandonment.job_ends.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (before, abandonment.seen()) == ((1, 1, True, 0), (0, 0, False, 1))


async def test_an_end_that_breaks_is_an_end_for_what_waits_for_it(abandonment: Abandonment) -> None:
    abandonment.defect = ZeroDivisionError("a defect")
    abandonment.job_ends.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert abandonment.seen() == (0, 0, False, 1)


async def test_an_orphan_that_is_being_ended_can_not_be_claimed(abandonment: Abandonment) -> None:
    assert abandonment.adoption.claim(TASK_ID) is None


@pytest.mark.parametrize(("given", "priority"), [(7, 7), (None, None)])
async def test_a_claimed_task_has_the_priority_with_which_its_job_would_be_sent_again(
    given: int | None, priority: int | None
) -> None:
    one = Abandonment()
    one.adoption.claim(TASK_ID, given)
    assert one.ledger.tasks[TASK_ID].shape.priority == priority
