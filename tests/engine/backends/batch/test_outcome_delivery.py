"""An outcome is delivered once, while the lease is ours, and never of a cancelled task."""

from __future__ import annotations

import asyncio

from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.model import Outcome, ResourceShape
from tests.support.engine.batch_harness import Recorder


class Ownership:
    """A lease that a test gives."""

    def __init__(self) -> None:
        self.given = asyncio.Event()

    @property
    def held(self) -> bool:
        return self.given.is_set()

    async def wait_held(self) -> None:
        await self.given.wait()


def task(stage: BatchStage) -> BatchTask:
    return BatchTask(b"0" * 16, ResourceShape(), None, stage)


async def test_an_outcome_waits_for_the_lease_and_is_given_once() -> None:
    ownership, told, fetched = Ownership(), Recorder(), task(BatchStage.FETCHING)
    delivery = OutcomeDelivery(ownership=ownership, ledger=Ledger(), observer=told)
    outcome = Outcome.failure(fetched.task_id, RuntimeError("it failed"))
    deliveries = [asyncio.create_task(delivery.deliver(fetched, outcome)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not told.outcomes
    ownership.given.set()
    await asyncio.gather(*deliveries)
    assert (fetched.stage, told.outcomes, told.twice) == (BatchStage.DELIVERED, {fetched.task_id: outcome}, [])


async def test_a_cancel_that_waits_for_a_failed_launch_finds_it_closed() -> None:
    ownership, told, refused = Ownership(), Recorder(), task(BatchStage.LAUNCHING)
    delivery = OutcomeDelivery(ownership=ownership, ledger=Ledger(), observer=told)
    refusing = asyncio.create_task(delivery.refuse([refused], "AWS refuses it"))
    await asyncio.sleep(0)
    refused.cancelled = True
    ownership.given.set()
    await refusing
    assert (refused.stage, told.outcomes) == (BatchStage.CANCELLED, {})
