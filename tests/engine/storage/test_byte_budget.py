"""Budget of bytes that arguments take in memory at once."""

from __future__ import annotations

from container.batch_job_wire.payload_frames import Blob
from engine.storage.byte_budget import ByteBudget


def test_a_blob_that_many_tasks_share_counts_once() -> None:
    budget, shared = ByteBudget(), Blob.of(b"x" * 100)
    for _ in range(200):
        budget.hold([shared])
    assert budget.used == 100


def test_a_shared_blob_is_released_with_its_last_task() -> None:
    budget, shared = ByteBudget(limit=100), Blob.of(b"x" * 100)
    budget.hold([shared])
    budget.hold([shared])
    budget.release([shared])
    while_held = budget.has_room
    budget.release([shared])
    assert (while_held, budget.has_room, budget.used) == (False, True, 0)
