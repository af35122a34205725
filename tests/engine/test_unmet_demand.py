"""A scheduler with waiting tasks that asks for nothing is told, once, and so is the end of that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from engine.link_health import LinkHealth
from engine.messages import LinkDown
from engine.model import LinkId, LinkTrouble
from engine.unmet_demand import LOOKS, UnmetDemand

A_REPORT_S = 1.0
"""Within which a scheduler's next report comes."""


class Scheduler:
    """Reports these numbers in turn; None: its monitor can't be reached."""

    def __init__(self, *reports: int | None) -> None:
        self._reports: Iterator[int | None] = iter(reports)
        self._open = 0
        self.health = LinkHealth("scheduler", id=LinkId.SCHEDULER)
        self.health.mark_up("tcp://10.0.0.1:8516")
        self.is_idle = True
        self.troubles: list[str] = []
        self.slept: list[float] = []

    async def subscribe(self) -> Scheduler:
        self._open += 1
        return self

    async def waiting_tasks(self) -> int:
        report = next(self._reports)
        if report is None:
            raise LinkDown("nobody answers")
        return report

    def close(self) -> None:
        self._open -= 1

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.troubles.append(self.health.view.trouble)

    def watch(self) -> list[str]:
        """Troubles of the link before each look, and after the last."""
        unmet = UnmetDemand(self.subscribe, lambda: self.is_idle, self.health, self.sleep)
        with pytest.raises((RuntimeError, StopIteration)):
            asyncio.run(unmet.run())
        assert self._open == 0
        return self.troubles


def test_tasks_that_wait_at_several_looks_are_told_once_until_they_are_gone(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Scheduler(7, 7, 12, 0)
    with caplog.at_level(logging.WARNING):
        troubles = scheduler.watch()
    assert troubles == ["", "", LinkTrouble.NOT_WANTED, LinkTrouble.NOT_WANTED, ""]
    assert [record.getMessage()[:39] for record in caplog.records] == ["the scheduler has 7 waiting tasks and d"]


def test_it_is_told_within_ten_seconds() -> None:
    scheduler = Scheduler(7, 7)
    looks = scheduler.watch().index(LinkTrouble.NOT_WANTED)
    assert sum(scheduler.slept[:looks]) + looks * A_REPORT_S <= 10.0


def test_a_moment_between_two_orders_is_no_trouble() -> None:
    assert set(Scheduler(*[7, 0] * LOOKS).watch()) == {""}


def test_without_a_monitor_nothing_is_said() -> None:
    assert set(Scheduler(*[None] * 2 * LOOKS).watch()) == {""}


def test_whoever_is_asked_or_not_connected_does_not_look() -> None:
    scheduler = Scheduler(*[7] * 10)
    looked = 0

    async def sleep(seconds: float) -> None:
        nonlocal looked
        looked += 1
        if looked > 2 * LOOKS:
            raise RuntimeError("enough")

    scheduler.is_idle = False
    scheduler.sleep = sleep  # type: ignore[method-assign]
    scheduler.watch()
    assert scheduler.health.view.trouble == ""


def test_the_link_says_why_while_it_is_up() -> None:
    scheduler = Scheduler(3, 3)
    scheduler.watch()
    view = scheduler.health.view
    assert (view.up, view.degraded) == (True, True)
    assert "3 waiting tasks" in view.detail
    scheduler.health.mark_down("the other end closed the connection")
    assert scheduler.health.view.trouble == ""
