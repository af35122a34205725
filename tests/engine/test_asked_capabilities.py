"""Tasks wait for the word of the scheduler's monitor about what they ask for: shortly, and never for nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace

import msgspec
import pytest

from engine.asked_capabilities import KEPT_WORDS, WORD_S, AskedCapabilities, Word, monitor_address
from engine.config.settings import ManagerConfig
from engine.messages import CapabilitiesTold, LinkDown, TaskArrived
from tests.support.schedules.virtual_loop import VirtualLoop

ASKED = {"memory": 4096}


def nameless(number: int = 0) -> TaskArrived:
    return TaskArrived(number.to_bytes(16, "big"), b"client", b"s", b"f", (), capabilities={"": 0})


class Monitor:
    def __init__(self) -> None:
        self.words: asyncio.Queue[CapabilitiesTold | None] = asyncio.Queue()
        self.is_closed = False
        self.reads = 0

    async def receive(self) -> Word:
        told = await self.words.get()
        if told is None:
            raise LinkDown("cut")
        return lambda: self.read(told)

    def read(self, told: CapabilitiesTold) -> CapabilitiesTold:
        self.reads += 1
        return told

    def close(self) -> None:
        self.is_closed = True

    def tell(self, task: TaskArrived) -> None:
        self.words.put_nowait(CapabilitiesTold(task.task_id, ASKED))


class Desk:
    """What was accepted, on a virtual clock."""

    def __init__(self, *monitors: Monitor) -> None:
        self._monitors = list(monitors)
        self.accepted: list[TaskArrived] = []
        self.asked = AskedCapabilities(self._subscribe, "tcp://monitor:1")

    async def listen(self) -> None:
        await self.asked.open()
        self._running = asyncio.ensure_future(self.asked.run())

    def answer_from_now_on(self, monitor: Monitor) -> None:
        self._monitors.append(monitor)

    async def _subscribe(self) -> Monitor:
        if not self._monitors:
            raise LinkDown("nobody answers")
        return self._monitors.pop(0)

    def hold(self, task: TaskArrived) -> None:
        self.asked.hold(task, self.accepted.append)

    @property
    def told(self) -> list[dict[str, int]]:
        return [dict(task.capabilities) for task in self.accepted]


def run(story: Coroutine[None, None, None]) -> None:
    loop = VirtualLoop(lambda: 0.001)
    try:
        loop.run_until_complete(story)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_a_word_before_or_behind_its_task_gives_it_what_it_asks_for() -> None:
    async def story() -> None:
        monitor = Monitor()
        desk = Desk(monitor)
        await desk.listen()
        monitor.tell(nameless(1))
        await asyncio.sleep(0.01)
        desk.hold(nameless(1))
        desk.hold(nameless(2))
        assert desk.told == [ASKED]
        monitor.tell(nameless(2))
        await asyncio.sleep(0.01)
        assert desk.told == [ASKED, ASKED]
        assert not any(task.asks_unknown for task in desk.accepted)

    run(story())


def test_a_task_that_asks_for_nothing_or_by_name_does_not_wait() -> None:
    async def story() -> None:
        desk = Desk(Monitor())
        await desk.listen()
        plain = TaskArrived(bytes(16), b"client", b"s", b"f", ())
        desk.hold(plain)
        assert desk.accepted == [plain]

    run(story())


def test_without_its_word_a_task_goes_on_after_a_second() -> None:
    async def story() -> None:
        desk = Desk(Monitor())
        await desk.listen()
        desk.hold(nameless())
        await asyncio.sleep(0.9 * WORD_S)
        assert desk.told == []
        await asyncio.sleep(0.2 * WORD_S)
        assert desk.told == [{}]
        assert desk.accepted[0].asks_unknown

    run(story())


def test_a_cancel_waits_for_no_word_and_the_task_is_handed_over_once() -> None:
    async def story() -> None:
        monitor = Monitor()
        desk = Desk(monitor)
        await desk.listen()
        desk.hold(nameless())
        desk.asked.release(nameless().task_id)
        monitor.tell(nameless())
        await asyncio.sleep(2 * WORD_S)
        assert desk.told == [{}]

    run(story())


def test_what_comes_after_all_tasks_waits_for_those_that_wait() -> None:
    async def story() -> None:
        monitor = Monitor()
        done: list[str] = []
        desk = Desk(monitor)
        await desk.listen()
        desk.asked.when_none_waits(lambda: done.append("at once"))
        desk.hold(nameless())
        desk.asked.when_none_waits(lambda: done.append("then"))
        assert done == ["at once"]
        monitor.tell(nameless())
        await asyncio.sleep(0.01)
        assert (desk.told, done) == ([ASKED], ["at once", "then"])

    run(story())


def test_without_a_monitor_nothing_waits_and_one_warning_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        desk = Desk()
        await desk.listen()
        for number in range(3):
            desk.hold(nameless(number))
        assert desk.told == [{}] * 3

    with caplog.at_level(logging.WARNING):
        run(story())
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_monitor_that_comes_later_is_listened_to() -> None:
    async def story() -> None:
        first, second = Monitor(), Monitor()
        desk = Desk(first)
        await desk.listen()
        first.words.put_nowait(None)
        await asyncio.sleep(1)
        assert first.is_closed
        desk.answer_from_now_on(second)
        await asyncio.sleep(15)
        desk.hold(nameless())
        second.tell(nameless())
        await asyncio.sleep(0.01)
        assert desk.told == [ASKED]

    run(story())


def test_no_word_is_read_while_no_task_asks_for_anything() -> None:
    async def story() -> None:
        monitor = Monitor()
        desk = Desk(monitor)
        await desk.listen()
        monitor.tell(nameless(1))
        await asyncio.sleep(0.01)
        desk.hold(replace(nameless(2), capabilities={}))
        assert (desk.told, monitor.reads) == ([{}], 0)
        desk.hold(nameless(1))
        assert (desk.told, monitor.reads) == ([{}, ASKED], 1)

    run(story())


def test_words_whose_tasks_never_come_are_forgotten() -> None:
    async def story() -> None:
        monitor = Monitor()
        desk = Desk(monitor)
        await desk.listen()
        for number in range(KEPT_WORDS + 1):
            monitor.tell(nameless(number))
        await asyncio.sleep(1)
        desk.hold(nameless(KEPT_WORDS))
        desk.hold(nameless(0))
        assert desk.told == [ASKED]

    run(story())


def test_what_waits_is_forgotten_with_its_connection() -> None:
    async def story() -> None:
        monitor = Monitor()
        desk = Desk(monitor)
        await desk.listen()
        desk.hold(nameless())
        desk.asked.close()
        await asyncio.sleep(2 * WORD_S)
        assert (desk.told, monitor.is_closed) == ([], True)

    run(story())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "tcp://10.0.0.1:8518"),
        ({"worker_scheduler_address": "tcp://10.0.0.2:9000"}, "tcp://10.0.0.2:9002"),
        ({"scheduler_monitor_address": "tcp://10.0.0.3:1"}, "tcp://10.0.0.3:1"),
    ],
)
def test_a_monitor_is_where_it_is_given_or_two_ports_above_the_workers_scheduler(
    given: dict[str, str], expected: str
) -> None:
    places = {"worker_manager_id": "wm", "job_queue": "q", "job_definition": "d", "s3_bucket": "b"}
    values = {"scheduler_address": "tcp://10.0.0.1:8516", **places, **given}
    assert monitor_address(msgspec.convert(values, ManagerConfig)) == expected
