"""Queue of tasks that wait for a slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tasks.task_queue import TaskQueue


def emptied(queue: TaskQueue) -> list[bytes]:
    order = []
    while len(queue):
        order.append(queue.first())
        queue.take(order[-1])
    return order


def test_higher_priority_goes_first_then_the_order_of_arrival() -> None:
    queue = TaskQueue()
    for name, priority in ((b"a", 0), (b"b", 5), (b"c", 0), (b"d", 5)):
        queue.push(name, priority)
    assert emptied(queue) == [b"b", b"d", b"a", b"c"]


def test_a_discarded_task_is_never_popped() -> None:
    queue = TaskQueue()
    queue.push(b"a", 0)
    queue.push(b"b", 0)
    queue.discard(b"a")
    assert (len(queue), b"a" in queue, emptied(queue)[0]) == (1, False, b"b")


def test_popping_an_empty_queue_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        TaskQueue().first()


@given(st.lists(st.integers(min_value=-3, max_value=3), max_size=300), st.data())
def test_discards_in_any_order_leave_the_order_of_the_rest(priorities: list[int], data: st.DataObject) -> None:
    queue = TaskQueue()
    tasks = [(bytes([number // 256, number % 256]), priority) for number, priority in enumerate(priorities)]
    for name, priority in tasks:
        queue.push(name, priority)
    gone = data.draw(st.sets(st.sampled_from([name for name, _ in tasks]))) if tasks else set()
    for name in gone:
        queue.discard(name)
    expected = [name for name, _ in sorted(tasks, key=lambda task: -task[1]) if name not in gone]
    assert emptied(queue) == expected
