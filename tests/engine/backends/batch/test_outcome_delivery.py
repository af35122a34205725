"""An outcome is delivered once, while the lease is ours, and never of a cancelled task."""

from __future__ import annotations

import asyncio
import pickle

from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.causes import CauseKind, FailureCause
from engine.model import Outcome, Profile, ResourceShape
from tests.support.engine.batch_harness import Recorder

REFUSAL = FailureCause(CauseKind.NOT_ACCEPTED)


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
    refusing = asyncio.create_task(delivery.refuse([refused], "AWS refuses it", REFUSAL))
    await asyncio.sleep(0)
    refused.cancelled = True
    ownership.given.set()
    await refusing
    assert (refused.stage, told.outcomes) == (BatchStage.CANCELLED, {})


class BreakingRecorder(Recorder):
    """Observer that breaks on the first outcome that it is given."""

    async def on_outcome(self, outcome: Outcome) -> None:
        if not self.lost:
            self.on_lost_ownership("broke")
            raise ZeroDivisionError("a defect")
        await super().on_outcome(outcome)


def given() -> Ownership:
    ownership = Ownership()
    ownership.given.set()
    return ownership


async def test_an_observer_that_breaks_on_an_outcome_is_given_a_failure_of_that_task() -> None:
    told, fetched = BreakingRecorder(), task(BatchStage.FETCHING)
    delivery = OutcomeDelivery(ownership=given(), ledger=Ledger(), observer=told)
    await delivery.deliver(fetched, Outcome(fetched.task_id, True, b"value", Profile(1.0, 2, 0.5)))
    error = pickle.loads(told.outcomes[fetched.task_id].body)
    assert (fetched.stage, type(error), "ZeroDivisionError" in str(error)) == (
        BatchStage.DELIVERED,
        RuntimeError,
        True,
    )


async def test_one_of_many_refused_tasks_that_breaks_keeps_no_other_from_its_failure() -> None:
    told = BreakingRecorder()
    refused = [BatchTask(bytes([n]) * 16, ResourceShape(), None, BatchStage.FETCHING) for n in range(3)]
    await OutcomeDelivery(ownership=given(), ledger=Ledger(), observer=told).refuse(refused, "AWS refuses it", REFUSAL)
    assert list(told.outcomes) == [one.task_id for one in refused]


async def test_an_outcome_in_a_stage_that_allows_none_fails_its_task_which_can_be_forgotten() -> None:
    told, ledger, launched = Recorder(), Ledger(), task(BatchStage.IN_BATCH)
    delivery = OutcomeDelivery(ownership=given(), ledger=ledger, observer=told)
    await delivery.deliver(launched, Outcome(launched.task_id, True, b"value", Profile(1.0, 2, 0.5)))
    ledger.close(launched, BatchStage.FORGOTTEN)
    assert (told.outcomes[launched.task_id].succeeded, launched.stage) == (False, BatchStage.FORGOTTEN)
