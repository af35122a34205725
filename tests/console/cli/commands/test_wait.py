"""`scaler-batch wait`: when it ends, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from console.cli.commands.wait import EXIT_CODES, POLL_S, SILENCE_S, Waited, Wanted, wait_for
from console.cli.commands.wait import _print_json as print_json
from console.waiting import Ending, JobProgress, Until, describe
from engine.errors import EngineError
from engine.telemetry.schema.messages import (
    Answer,
    Forecast,
    GetGroups,
    GetJobPage,
    Groups,
    JobGroup,
    JobPage,
    JobRow,
    JobState,
    Refusal,
    Request,
)


def groups(forecast: Forecast | None = None, **counts: int) -> Groups:
    by_state = {JobState(name): count for name, count in counts.items()}
    found = (JobGroup("f", "m", by_state, forecast=forecast),) if counts else ()
    return Groups("function", found, len(found), sum(counts.values()), 1000.0, True, by_state)


RUNNING = groups(RUNNING=2)
DONE = groups(SUCCEEDED=2)
SILENT = Refusal("no answer from the engine in time")


class ScriptedClient:
    """Client whose engine answers one after another, and a clock that only sleeping moves."""

    def __init__(self, answers: Sequence[Answer], page: JobPage | None = None) -> None:
        self._answers: Iterator[Answer] = iter(answers)
        self._last: Answer = SILENT
        self.page = page
        self.asked: list[Request] = []
        self.now = 0.0

    def call(self, request: Request) -> Answer:
        self.asked.append(request)
        if isinstance(request, GetJobPage):
            assert self.page is not None
            return self.page
        self._last = next(self._answers, self._last)
        return self._last

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run(client: ScriptedClient, wanted: Wanted = Wanted()) -> Waited:  # noqa: B008
    anything: Any = client
    return wait_for(anything, wanted, report=lambda _: None, clock=lambda: client.now, sleep=client.sleep)


def code(client: ScriptedClient, wanted: Wanted = Wanted()) -> int:  # noqa: B008
    return EXIT_CODES[run(client, wanted).ending]


def test_it_ends_with_0_when_all_have_succeeded() -> None:
    client = ScriptedClient([RUNNING, RUNNING, DONE])
    assert code(client, Wanted("fn:price", "m")) == 0
    assert client.now == 2 * POLL_S
    assert client.asked[0] == GetGroups(filter="fn:price", manager="m")


def test_it_waits_for_jobs_to_come() -> None:
    assert code(ScriptedClient([groups(), groups(), RUNNING, DONE])) == 0


@pytest.mark.parametrize("bad", ["FAILED", "CANCELLED"])
def test_it_ends_with_3_when_done_but_not_all_succeeded(bad: str) -> None:
    assert code(ScriptedClient([groups(None, SUCCEEDED=5, **{bad: 1})])) == 3


def test_the_first_failure_ends_it_while_others_still_run() -> None:
    assert code(ScriptedClient([RUNNING, groups(RUNNING=1, FAILED=1)]), Wanted(until=Until.FAILED)) == 0


def test_done_without_the_failure_that_was_waited_for_is_3() -> None:
    assert code(ScriptedClient([DONE]), Wanted(until=Until.FAILED)) == 3


@pytest.mark.parametrize(("reason", "expected"), [("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", 0), ("", 4)])
def test_a_stuck_job_ends_it(reason: str, expected: int) -> None:
    row = JobRow("1" * 32, "m", JobState.RUNNABLE, since=990.0, created=990.0, reason=reason)
    client = ScriptedClient([groups(RUNNABLE=1)], JobPage((row,), 1, 1, 1000.0))
    assert code(client, Wanted(until=Until.STUCK, timeout_s=10)) == expected


def test_it_ends_with_4_when_the_time_is_over() -> None:
    client = ScriptedClient([RUNNING])
    assert code(client, Wanted(timeout_s=60)) == 4
    assert client.now == 60


def test_an_engine_that_is_not_there_is_an_error_at_once() -> None:
    client = ScriptedClient([SILENT])
    with pytest.raises(EngineError, match="no answer"):
        run(client)
    assert client.now == 0


def test_an_engine_that_is_silent_for_a_while_is_waited_for() -> None:
    assert code(ScriptedClient([RUNNING, SILENT, SILENT, DONE])) == 0


def test_an_engine_that_stays_silent_is_an_error() -> None:
    client = ScriptedClient([RUNNING, SILENT])
    with pytest.raises(EngineError, match="no answer"):
        run(client)
    assert client.now == SILENCE_S


def test_the_line_of_progress_says_what_there_is_and_no_zeros() -> None:
    assert describe(JobProgress(200, 80, 31, 118, 2, 0, Forecast(240, 420))) == (
        "120 of 200 done, 2 failed, 31 running, 4m–7m left"
    )
    assert describe(JobProgress(2, 0, 0, 2, 0, 0)) == "2 of 2 done"
    assert describe(JobProgress(0, 0, 0, 0, 0, 0)) == "no job fits so far"


def test_json_says_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(Wanted(), Waited(Ending.OTHERWISE, JobProgress(3, 0, 0, 2, 1, 0), 12.5))
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "until": "done",
        "ending": "otherwise",
        "waited_s": 12.5,
        "total": 3,
        "living": 0,
        "running": 0,
        "succeeded": 2,
        "failed": 1,
        "cancelled": 0,
        "left": None,
    }
