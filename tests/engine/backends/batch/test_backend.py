"""What the backend passes on: outcomes to forget, priorities of tasks whose jobs are adopted."""

from __future__ import annotations

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from engine.backends.batch.backend import BatchBackend
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger
from engine.model import CancelReason, ResourceShape


class Parts(SimpleNamespace):
    """Parts of a backend that record what is cancelled."""

    async def cancel(self, task: BatchTask, reason: CancelReason) -> None:
        assert reason is CancelReason.FAILED_TASK
        self.cancelled.append(task)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self.started.append(work)

    def wake(self) -> None: ...


def made() -> Any:
    names = ("client", "store", "collector", "takeover", "introspection", "code", "packing")
    parts = Parts(**dict.fromkeys(names), ledger=Ledger(), cancelled=[], started=[])
    parts.canceller = parts.cleaner = parts.background = parts
    return parts


async def test_a_job_whose_task_failed_for_a_defect_is_ended_when_its_failure_is_forgotten() -> None:
    parts = made()
    delivered, running = (
        BatchTask(bytes([n]) * 16, ResourceShape(), None, stage)
        for n, stage in enumerate((BatchStage.DELIVERED, BatchStage.IN_BATCH))
    )
    parts.ledger.tasks = {one.task_id: one for one in (delivered, running)}
    backend = BatchBackend(parts, capabilities={}, by_priority=False)
    await backend.forget([running.task_id, delivered.task_id])
    for work in parts.started:
        await work
    assert (delivered.stage, parts.cancelled) == (BatchStage.FORGOTTEN, [running])


@pytest.mark.parametrize(("by_priority", "priority"), [(True, 9999), (False, None)])
def test_a_job_is_adopted_with_its_tasks_priority_where_that_counts(by_priority: bool, priority: int | None) -> None:
    parts, claimed = made(), list[tuple[bytes, int | None]]()
    parts.takeover = SimpleNamespace(claim=lambda *claim: claimed.append(claim))
    backend = BatchBackend(parts, capabilities={}, by_priority=by_priority)
    backend.adopt(bytes(16), 123_456)
    assert claimed == [(bytes(16), priority)]
