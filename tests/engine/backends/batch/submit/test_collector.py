"""The collection window, on a clock of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from container.batch_job_wire.payload_frames import Blob
from engine.aws import limits
from engine.backends.batch.ledger import BatchTask
from engine.backends.batch.submit.collector import Collector
from engine.model import ResourceShape, TaskWork

TINY = Blob.of(b"x")


@dataclass
class Timer:
    at: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Loop:
    """Time that passes when told, and the timers due meanwhile."""

    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)
    launched: list[tuple[float, list[BatchTask]]] = field(default_factory=list)
    free_at: float = 0.0
    """When a submission can be sent again."""
    idle: bool = False
    """Nothing is under way, until something is launched."""

    def clock(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + delay, call))
        return self.timers[-1]

    def wait_s(self) -> float:
        return max(0.0, self.free_at - self.now)

    def launch(self, records: list[BatchTask]) -> None:
        self.launched.append((self.now, records))
        self.idle = False

    def pass_to(self, now: float) -> None:
        while due := [one for one in self.timers if one.at <= now and not one.cancelled]:
            first = min(due, key=lambda one: one.at)
            self.timers.remove(first)
            self.now = max(self.now, first.at)
            first.call()
        self.now = now


def record(shape: ResourceShape | None = None, *blobs: Blob, company: int = 0, following: int = 0) -> BatchTask:
    task_id = uuid.uuid4().bytes
    work = TaskWork(task_id, shape or ResourceShape(), TINY, TINY, blobs, company=company, following=following)
    return BatchTask(task_id, work.shape, work)


def collector(loop: Loop) -> Collector:
    return Collector(
        launch=loop.launch, wait_s=loop.wait_s, is_idle=lambda: loop.idle, clock=loop.clock, call_later=loop.call_later
    )


def sent(loop: Loop) -> list[tuple[float, int]]:
    """When each submission went, and how many tasks it has."""
    return [(round(at, 3), len(records)) for at, records in loop.launched]


def test_what_comes_first_while_nothing_is_under_way_goes_in_a_moment_and_what_follows_together() -> None:
    loop = Loop(idle=True)
    window = collector(loop)
    window.add(record(company=10, following=40))
    window.add(record(company=10, following=39))
    for step in range(1, 40):
        loop.pass_to(step * 0.01)
        window.add(record())
    loop.pass_to(2.0)
    assert sent(loop) == [(0.025, 4), (0.49, 37)]


def test_several_shapes_that_come_together_while_nothing_is_under_way_go_in_a_moment() -> None:
    loop = Loop(idle=True)
    window = collector(loop)
    for vcpus in (1, 2, 3):
        window.add(record(ResourceShape(vcpus=vcpus)))
    loop.pass_to(1.0)
    assert sent(loop) == [(0.025, 1)] * 3


def test_nothing_leads_while_no_submission_can_be_sent() -> None:
    loop = Loop(idle=True, free_at=3.0)
    window = collector(loop)
    for step in range(5):
        loop.pass_to(step * 0.1)
        window.add(record())
    loop.pass_to(5.0)
    assert sent(loop) == [(3.0, 5)]


def test_a_lone_task_waits_a_moment() -> None:
    loop = Loop()
    collector(loop).add(record())
    loop.pass_to(1.0)
    assert [(round(at, 3), len(records)) for at, records in loop.launched] == [(0.025, 1)]


def test_tasks_that_keep_coming_are_one_submission_for_half_a_second_at_most() -> None:
    loop = Loop()
    window = collector(loop)
    for step in range(70):
        loop.pass_to(step * 0.01)
        window.add(record())
    loop.pass_to(2.0)
    first_at, first = loop.launched[0]
    assert 0.45 <= first_at <= 0.51
    assert len(first) + sum(len(records) for _, records in loop.launched[1:]) == 70
    assert len(loop.launched) == 2


def test_what_refills_slots_waits_until_as_many_travel_together() -> None:
    loop = Loop()
    window = collector(loop)
    for step in range(4):
        loop.pass_to(step * 0.2)
        window.add(record(company=4))
    loop.pass_to(2.0)
    assert [len(records) for _, records in loop.launched] == [4]
    assert 0.6 < loop.launched[0][0] < 0.7


def test_what_refills_slots_waits_a_second_at_most() -> None:
    loop = Loop()
    collector(loop).add(record(company=4))
    loop.pass_to(5.0)
    assert [(round(at, 3), len(records)) for at, records in loop.launched] == [(1.0, 1)]


def test_the_last_that_waited_for_a_slot_takes_the_others_along_at_once() -> None:
    loop = Loop()
    window = collector(loop)
    window.add(record(company=4))
    loop.pass_to(0.3)
    window.add(record())
    loop.pass_to(5.0)
    assert [len(records) for _, records in loop.launched] == [2]
    assert 0.3 < loop.launched[0][0] < 0.4


def test_tasks_whose_objects_are_read_one_after_the_other_travel_together() -> None:
    loop = Loop()
    window = collector(loop)
    for following in (3, 2, 1, 0):
        window.add(record(following=following))
        loop.pass_to(loop.now + 0.2)
    assert [len(records) for _, records in loop.launched] == [4]


def test_a_task_whose_objects_take_long_holds_the_others_for_a_second_at_most() -> None:
    loop = Loop()
    collector(loop).add(record(following=1))
    loop.pass_to(5.0)
    assert [(round(at, 3), len(records)) for at, records in loop.launched] == [(1.0, 1)]


def test_freed_slots_of_several_shapes_are_counted_together() -> None:
    loop = Loop()
    window = collector(loop)
    for vcpus in (1, 2):
        window.add(record(ResourceShape(vcpus=vcpus), company=2))
    loop.pass_to(0.2)
    assert [len(records) for _, records in loop.launched] == [1, 1]


def test_shapes_are_kept_apart() -> None:
    loop = Loop()
    window = collector(loop)
    window.add(record())
    window.add(record(ResourceShape(vcpus=2)))
    loop.pass_to(1.0)
    assert [len(records) for _, records in loop.launched] == [1, 1]


def test_ten_thousand_tasks_go_at_once() -> None:
    loop = Loop()
    window = collector(loop)
    for _ in range(limits.ARRAY_SIZE_MAX + 1):
        window.add(record())
    assert [len(records) for _, records in loop.launched] == [limits.ARRAY_SIZE_MAX]


def test_a_window_holds_64_mib_of_distinct_blobs_at_most() -> None:
    loop = Loop()
    window = collector(loop)
    shared = Blob(bytes(30 * limits.MIB), "shared")
    for number in range(5):
        window.add(record(None, shared, Blob(bytes(16 * limits.MIB), f"own {number}")))
    loop.pass_to(1.0)
    assert [len(records) for _, records in loop.launched] == [2, 2, 1]


def test_a_cancelled_task_is_not_sent() -> None:
    loop = Loop()
    window = collector(loop)
    kept, dropped = record(), record()
    window.add(kept)
    window.add(dropped)
    dropped.cancelled = True
    loop.pass_to(1.0)
    assert [records for _, records in loop.launched] == [[kept]]


def test_a_window_of_cancelled_tasks_sends_nothing() -> None:
    loop = Loop()
    one = record()
    collector(loop).add(one)
    one.cancelled = True
    loop.pass_to(1.0)
    assert loop.launched == []


def test_while_no_submission_can_be_sent_a_window_takes_everything_that_comes() -> None:
    loop = Loop(free_at=5.0)
    window = collector(loop)
    for step in range(400):
        loop.pass_to(step * 0.01)
        window.add(record())
    loop.pass_to(10.0)
    assert [(round(at, 3), len(records)) for at, records in loop.launched] == [(5.0, 400)]


def test_windows_of_several_shapes_wait_side_by_side() -> None:
    loop = Loop(free_at=3.0)
    window = collector(loop)
    shapes = [ResourceShape(vcpus=1), ResourceShape(vcpus=2)]
    for _ in range(5):
        for shape in shapes:
            window.add(record(shape))
        loop.pass_to(loop.now + 0.6)
    loop.pass_to(10.0)
    assert [len(records) for _, records in loop.launched] == [5, 5]


def test_a_window_that_waits_closes_at_once_at_the_size_limits() -> None:
    loop = Loop(free_at=60.0)
    window = collector(loop)
    for _ in range(limits.ARRAY_SIZE_MAX):
        window.add(record())
    half = Blob.of(bytes(40 * limits.MIB))
    other = Blob.of(bytes([1]) * (40 * limits.MIB))
    window.add(record(None, half))
    window.add(record(None, other))
    assert [len(records) for _, records in loop.launched] == [limits.ARRAY_SIZE_MAX, 1]


def test_what_is_cancelled_while_a_window_waits_is_not_launched() -> None:
    loop = Loop(free_at=2.0)
    window = collector(loop)
    tasks = [record() for _ in range(3)]
    for task in tasks:
        window.add(task)
    loop.pass_to(1.0)
    tasks[1].cancelled = True
    loop.pass_to(3.0)
    assert [records for _, records in loop.launched] == [[tasks[0], tasks[2]]]
