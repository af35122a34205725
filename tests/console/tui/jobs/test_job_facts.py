"""Facts of a job's page: what is told of attempts, sizes and results, and what is said to be unknown."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from console.tui.drawing.glyphs import UNICODE
from console.tui.drawing.spans import Line, plain
from console.tui.jobs.job_facts import attempt_lines, identity_lines, payload_lines
from engine.telemetry.schema.messages import Attempt, JobRecord, JobState
from tests.support.console.widget_samples import NOW, row


def facts(lines: Iterable[Line]) -> dict[str, str]:
    return {label.strip(): value for (label, _), (value, _) in (line[:2] for line in lines)}


def identity(record: JobRecord) -> dict[str, str]:
    return facts(identity_lines(record, UNICODE))


def payload(record: JobRecord) -> dict[str, str]:
    return facts(payload_lines(record, UNICODE))


@pytest.mark.parametrize(
    ("state", "result"),
    [
        (JobState.QUEUED, "not yet"),
        (JobState.RUNNING, "not yet"),
        (JobState.SUCCEEDED, "delivered"),
        (JobState.FAILED, "the error was delivered"),
        (JobState.CANCELLED, "none: it was cancelled"),
        (JobState.UNKNOWN, "not known: its task must come back from the scheduler"),
    ],
)
def test_a_result_is_awaited_only_where_one_can_come(state: JobState, result: str) -> None:
    assert payload(JobRecord(row(1, state)))["result"] == result


def test_an_attempt_that_nobody_knows_is_a_dash() -> None:
    assert identity(JobRecord(row(1)))["attempt"] == "– of –"


@pytest.mark.parametrize(
    ("attempts", "said"),
    [
        ((Attempt(exit_code=75),), "2 of 3"),
        ((Attempt(started_at=1.0),), "1 of 3"),
        ((Attempt(stopped_at=1.0), Attempt(started_at=2.0)), "2 of 3"),
    ],
    ids=["ended", "under way", "both"],
)
def test_an_attempt_that_batch_describes_is_known(attempts: tuple[Attempt, ...], said: str) -> None:
    record = JobRecord(row(1), attempts=attempts, attempts_allowed=3, described_at=1.0)
    assert identity(record)["attempt"] == said


def test_what_was_tried_and_sent_again_is_counted() -> None:
    record = JobRecord(row(1, attempt=2, retries=3, resubmits=1), attempts_allowed=3)
    assert identity(record)["attempt"] == "2 of 3 · tried again by AWS Batch: 3 · sent again as another job: 1"


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (JobState.SUCCEEDED, ("AWS says", "text")),
        (JobState.FAILED, ("reason", "failed")),
        (JobState.RUNNABLE, ("reason", "warning")),
    ],
)
def test_what_aws_says_of_a_task_that_went_well_warns_of_nothing(state: JobState, shown: tuple[str, str]) -> None:
    said = "Essential container in task exited"
    record = JobRecord(row(1, state, reason=""), status_reason=said)
    lines = [line[:2] for line in identity_lines(record, UNICODE)]
    assert [(label.strip(), role) for (label, _), (value, role) in lines if value == said] == [shown]


@pytest.mark.parametrize(
    ("index", "parallel", "pack"),
    [(17, 1, "3rd of 25 in child 17"), (None, 1, "3rd of 25"), (17, 4, "3rd of 25, 4 at once in child 17")],
    ids=["child of an array", "single job", "several at once"],
)
def test_a_task_of_a_pack_has_a_place_in_its_job(index: int | None, parallel: int, pack: str) -> None:
    packed = JobRecord(row(1, JobState.RUNNING), index=index, pack_place=3, pack_tasks=25, pack_parallel=parallel)
    assert identity(packed)["pack"] == pack


def test_a_task_with_a_job_of_its_own_is_in_no_pack() -> None:
    assert "pack" not in identity(JobRecord(row(1, JobState.RUNNING)))


def test_the_line_that_raised_is_told() -> None:
    record = JobRecord(row(1, JobState.FAILED), error="ValueError", raised_at="prices.py:12 price")
    assert identity(record)["raised at"] == "prices.py:12 price"


def test_the_cause_is_the_reason_and_awss_own_words_stand_beside_it() -> None:
    failed = row(1, JobState.FAILED, reason="exit code 7", cause="exit code 7")
    told = identity(JobRecord(failed, error="exit code 7", status_reason="Essential container in task exited"))
    assert (told["reason"], told["AWS says"]) == ("exit code 7", "Essential container in task exited")
    assert "error" not in told


def test_where_batch_alone_gives_a_reason_it_is_told_once() -> None:
    told = identity(JobRecord(row(1, JobState.RUNNABLE, reason="CAPACITY"), status_reason="CAPACITY"))
    assert told["reason"] == "CAPACITY"
    assert "AWS says" not in told


def test_a_size_that_nobody_knows_is_a_dash() -> None:
    record = JobRecord(row(1, route="inline-gzip", raw_bytes=2048))
    assert payload(record)["this task"] == "2.0K → – on the wire"


def test_attempts_of_another_day_have_its_date() -> None:
    begun, ended = NOW - 2 * 86_400, NOW - 2 * 86_400 + 60
    head, line = map(plain, attempt_lines(JobRecord(row(1), attempts=(Attempt(begun, ended, 0),)), UNICODE, NOW))
    day = time.strftime("%b %d", time.localtime(begun))
    assert line.count(day) == 2
    assert line.index("1m00s") == head.index("TOOK")


def test_a_wish_that_nobody_told_is_told_of() -> None:
    assert "monitor did not tell" in identity(JobRecord(row(1, asks_unknown=True)))["asks for"]
    assert "asks for" not in identity(JobRecord(row(1)))
