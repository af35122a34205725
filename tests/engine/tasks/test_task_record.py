"""States of a task and their transition table."""

from __future__ import annotations

import pytest

from engine.messages import TaskArrived
from engine.model import ResourceShape
from engine.tasks.task_record import HOLDS_SLOT, IllegalTransition, TaskRecord, TaskState, requested_shape


def record(state: TaskState) -> TaskRecord:
    task = TaskArrived(bytes(16), b"Client|x", bytes(32), bytes(32), ())
    return TaskRecord(task, ResourceShape(), state=state)


@pytest.mark.parametrize(
    "path",
    [
        ("loading", "collecting", "submitted", "delivering", "delivered", "ended"),
        ("ended",),
        ("loading", "paused", "collecting", "submitted", "cancelling", "ended"),
        ("loading", "collecting", "adopting", "submitted", "delivering", "delivered", "ended"),
        ("loading", "collecting", "submitted", "adopting", "cancelling", "ended"),
        ("loading", "delivering", "delivered", "ended"),
        ("loading", "stalled", "queued", "loading", "collecting", "submitted", "delivering", "delivered", "ended"),
        ("loading", "stalled", "delivering", "delivered", "ended"),
    ],
)
def test_every_way_through_a_life_is_allowed(path: tuple[str, ...]) -> None:
    task = record(TaskState.QUEUED)
    for state in path:
        task.move(TaskState(state))
    assert task.state is TaskState.ENDED


@pytest.mark.parametrize("state", list(TaskState))
def test_nothing_follows_the_end(state: TaskState) -> None:
    with pytest.raises(IllegalTransition, match="can't follow ended"):
        record(TaskState.ENDED).move(state)


def test_a_cancelled_task_is_never_delivered() -> None:
    with pytest.raises(IllegalTransition):
        record(TaskState.CANCELLING).move(TaskState.DELIVERING)


def test_only_tasks_that_wait_or_are_done_hold_no_slot() -> None:
    waiting = {TaskState.QUEUED, TaskState.STALLED}
    assert {*waiting, TaskState.DELIVERED, TaskState.ENDED} == set(TaskState) - HOLDS_SLOT


@pytest.mark.parametrize(
    ("asked", "mib"),
    [(-1, None), (1, 256), (1843, 2048), (4096, 4096), (2**24 - 1, 2**24), (2**24, 256), (3 * 2**30 + 1, 3328)],
)
def test_memory_is_bytes_or_mib_by_its_size_and_goes_up_to_the_next_step(asked: int, mib: int | None) -> None:
    task = TaskArrived(bytes(16), b"Client|x", bytes(32), bytes(32), (), capabilities={"memory": asked, "vcpus": 2})
    assert requested_shape(task) == ResourceShape(vcpus=2, memory_mib=mib)
