"""A job's end in Batch's words becomes a builtin exception that says why."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from engine.aws.batch_jobs import BatchJob
from engine.backends.batch.track.failures.failure import JobEnd, job_failure, missing_result, refused_code
from engine.model import Outcome


def end(**changes: Any) -> JobEnd:
    return JobEnd(**{"job_id": "job-1", "status": "FAILED", **changes})


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"container_reason": "OutOfMemoryError: Container killed due to memory usage", "exit_code": 137}, MemoryError),
        ({"status_reason": "Job attempt duration exceeded timeout", "exit_code": 137}, TimeoutError),
        ({"status_reason": "Host EC2 (instance i-1) terminated."}, RuntimeError),
        ({"container_reason": "CannotPullContainerError: no such image"}, RuntimeError),
        ({"exit_code": 76}, RuntimeError),
    ],
)
def test_the_exception_is_a_builtin_of_the_right_kind(changes: dict[str, Any], kind: type[Exception]) -> None:
    assert type(job_failure(end(**changes), "")) is kind


def test_the_text_holds_reason_exit_code_job_id_and_log() -> None:
    error = job_failure(end(status_reason="because", container_reason="inside", exit_code=9), "last words")
    for part in ("because", "inside", "exit code: 9", "job-1", "last words"):
        assert part in str(error)


def test_an_image_that_refuses_code_is_told_what_to_do() -> None:
    text = str(refused_code(end(status="FAILED", exit_code=2), ""))
    assert "doesn't know code that is sent along (--code): build it anew with scaler-batch build-image" in text


def test_a_missing_result_says_how_long_it_was_waited_for() -> None:
    assert "within 10 s" in str(missing_result(end(status="SUCCEEDED"), 10.0, ""))


def test_any_client_can_load_the_failure() -> None:
    outcome = Outcome.failure(bytes(16), job_failure(end(exit_code=1), ""))
    assert type(pickle.loads(outcome.body)) is RuntimeError
    assert not outcome.succeeded


@pytest.mark.parametrize(
    ("changes", "promised"),
    [
        ({"status": "SUCCEEDED", "exit_code": 0}, True),
        ({"exit_code": 1}, True),
        ({"exit_code": 2}, True),
        ({"exit_code": 75}, False),
        ({"exit_code": 137}, False),
        ({}, False),
        ({"exit_code": 1, "container_reason": "OutOfMemoryError: x"}, False),
    ],
)
def test_only_some_ends_promise_a_result(changes: dict[str, Any], promised: bool) -> None:
    assert end(**changes).promises_result is promised


def test_a_described_job_is_read_with_its_last_attempt() -> None:
    job = {
        "jobId": "job-1",
        "status": "FAILED",
        "statusReason": "Essential container in task exited",
        "container": {"exitCode": None},
        "attempts": [{"container": {"exitCode": 5}}, {"container": {"exitCode": 6, "logStreamName": "stream"}}],
    }
    read = JobEnd.of(BatchJob.parse(job))
    assert (read.exit_code, read.log_stream, read.attempts) == (6, "stream", 2)


@pytest.mark.parametrize("name", ["job_id", "status", "status_reason", "container_reason"])
@pytest.mark.parametrize(
    "text", ["\x1b[2J", "x\nCRITICAL engine: forged", "z" * 3_000_000], ids=["escapes", "lines", "3 MB"]
)
def test_what_aws_says_of_a_job_forges_neither_a_log_nor_an_error(name: str, text: str) -> None:
    ended = end(**{name: text})
    for shown in (ended.describe(), str(job_failure(ended, "")), str(missing_result(ended, 1.0, ""))):
        assert shown.isprintable()
        assert len(shown) < 1_000


def test_the_lines_of_a_jobs_log_reach_the_client_without_their_escapes_and_bounded() -> None:
    shown = str(job_failure(end(), "first\n" * 100_000 + "\x1b[31mred\x07"))
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.endswith(r"\x1b[31mred\x07")
    assert len(shown) < 20_000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status_reason": "ResourceInitializationError: unable to pull secrets", "attempts": 1}, True),
        ({"status_reason": "ResourceInitializationError: unable to pull secrets"}, True),  # a child's summary
        ({"status_reason": "Essential container in task exited", "container_reason": "AGENT"}, True),
        ({"status_reason": "Timeout waiting for network interface provisioning to complete.", "attempts": 1}, True),
        ({"status_reason": "stopped by somebody in AWS's console"}, False),  # no attempt was made
        ({"status_reason": "Task failed to start", "container_reason": "CannotPullContainerError: x"}, False),
        ({"status_reason": "Host EC2 (instance i-1) terminated.", "attempts": 3}, False),
        ({"status_reason": "AGENT", "started": True}, False),
        ({"status_reason": "AGENT", "exit_code": 1}, False),
    ],
)
def test_a_start_that_failed_and_that_no_rule_knows_is_told_apart(changes: dict[str, Any], expected: bool) -> None:
    assert end(**{"started": False, **changes}).was_not_started is expected


def test_a_result_that_s3_refuses_is_not_told_as_a_function_that_was_not_called() -> None:
    assert "the function was called" in str(job_failure(end(exit_code=77), ""))
    assert "called" not in str(job_failure(end(exit_code=76), ""))


def test_whether_a_job_ran_is_read_from_its_document() -> None:
    waiting = {"jobId": "a", "jobName": "n", "status": "FAILED"}
    assert not JobEnd.of(BatchJob.parse(waiting)).started
    assert JobEnd.of(BatchJob.parse({**waiting, "startedAt": 1_700_000_000_000})).started
