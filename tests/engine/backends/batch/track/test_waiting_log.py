"""When the log of a headless engine tells of jobs that wait, on a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.backends.batch.track.waiting_log import CHANGES_APART_S, REPEAT_S, SILENT_WAIT_S, WaitingLog
from tests.support.engine.fake_clock import FakeClock

FULL, MISFIT = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level("INFO")
    return Log(caplog)


class Log:
    """Polls every 5 s, and what was logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.clock = FakeClock()
        self.waiting = WaitingLog(clock=self.clock)
        self._caplog = caplog

    def poll(self, seconds: float, waiting: int, *reasons: str) -> None:
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.waiting.note(waiting, reasons)
            self.clock.now += 5

    @property
    def lines(self) -> Sequence[str]:
        return [record.getMessage() for record in self._caplog.records]


def test_a_reason_is_told_at_once_and_again_every_ten_minutes(log: Log) -> None:
    log.poll(2 * REPEAT_S + 10, 7, FULL)
    assert len(log.lines) == 3
    assert all(FULL in line and "7 jobs" in line for line in log.lines)


def test_a_wait_without_a_reason_is_told_when_it_lasts(log: Log) -> None:
    log.poll(SILENT_WAIT_S - 5, 7)
    assert log.lines == []
    log.poll(SILENT_WAIT_S, 7)
    assert len(log.lines) == 1


def test_another_reason_and_the_end_are_told(log: Log) -> None:
    log.poll(CHANGES_APART_S, 7, FULL)
    log.poll(CHANGES_APART_S, 7, MISFIT)
    log.poll(CHANGES_APART_S, 0)
    assert [next((word for word in (FULL, MISFIT, "any more") if word in line), "") for line in log.lines] == [
        FULL,
        MISFIT,
        "any more",
    ]


def test_reasons_and_counts_that_come_and_go_fill_no_log(log: Log) -> None:
    for number in range(120):
        log.poll(5, number + 1, *((FULL,), (), (MISFIT,))[number % 3])
    assert len(log.lines) <= 600 / CHANGES_APART_S + 1


def test_what_aws_says_is_quoted_and_cut(log: Log) -> None:
    log.poll(5, 1, "line\n\x1b[31m" + "x" * 5_000)
    [line] = log.lines
    assert "\n" not in line
    assert "\x1b" not in line
    assert len(line) < 400
