"""Causes are read off what the runner measured and AWS Batch tells, of images of any release."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.batch_jobs import BatchJob
from engine.backends.batch.track.failures.causes import cause_of_end, cause_of_result
from engine.backends.batch.track.failures.failure import JobEnd
from engine.causes import CauseKind

RAISED = ResultMeta(
    task_id="0" * 32,
    status=ResultStatus.EXCEPTION,
    phase="running",
    attempt=1,
    started_at=1.0,
    duration_s=1.0,
    cpu_s=0.1,
    peak_bytes=1 << 20,
    python="3.11.7",
    exit_code=0,
    signal=None,
    runner_version="0.1.0",
    error="ValueError",
    place="prices.py:12 price",
    message="no price of \x1b[31m" + "DE0001 " * 100,
)
OLD = RAISED._replace(error="", place="", message="")
"""Of an image of an earlier release."""
DIED = OLD._replace(status=ResultStatus.DIED)
BODY = pickle.dumps(KeyError("secret"))


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (RAISED, "ValueError"),
        (OLD, "KeyError"),
        (RAISED._replace(signal=11, exit_code=None), "ValueError"),
        (DIED._replace(exit_code=7), "exit code 7"),
        (DIED._replace(exit_code=0), "exit code 0"),
        (DIED._replace(exit_code=None, signal=11), "signal 11 (SIGSEGV) while running"),
        (DIED._replace(exit_code=None, signal=9), "signal 9 (SIGKILL) while running"),
        (
            DIED._replace(exit_code=None, signal=9, is_out_of_memory=True, memory_limit=4096 << 20),
            "out of memory: 4,096 MiB",
        ),
        (DIED._replace(exit_code=None, signal=9, is_damaged=True), "its process wrote to the runner's descriptor"),
        (
            RAISED._replace(status=ResultStatus.UNLOADABLE, phase="loading", error="ImportError"),
            "ImportError while loading",
        ),
        (DIED._replace(status=ResultStatus.UNLOADABLE, exit_code=None), "can't be loaded in the image"),
        (
            DIED._replace(status=ResultStatus.UNLOADABLE, phase="loading", exit_code=None, signal=11),
            "signal 11 (SIGSEGV) while loading",
        ),
    ],
)
def test_the_runners_verdict_is_the_cause(meta: ResultMeta, words: str) -> None:
    assert cause_of_result(meta, BODY).describe() == words


def test_a_message_is_told_to_those_only_who_may_see_values_quoted_and_cut() -> None:
    hidden, shown = (cause_of_result(RAISED, BODY, show_message=shown) for shown in (False, True))
    assert hidden.message == ""
    assert shown.message.startswith("no price of \\x1b[31mDE0001")
    assert shown.message.isprintable()
    assert len(shown.message) < 250
    assert shown.signature == hidden.signature == "ValueError prices.py:12 price"


ALLOWED = {"retryStrategy": {"attempts": 3}, "timeout": {"attemptDurationSeconds": 60}}


def ended(reason: str = "", code: int | None = None, container: str = "", *, ran: bool = True, **more: Any) -> JobEnd:
    told = {"exitCode": code, "reason": container, "resourceRequirements": [{"type": "MEMORY", "value": "4096"}]}
    started = {"startedAt": 1000} if ran else {}
    job = {"jobId": "job", "status": "FAILED", "statusReason": reason, "container": told, **ALLOWED, **started, **more}
    return JobEnd.of(BatchJob.parse(job))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (
            ended("Essential container in task exited", 137, "OutOfMemoryError: Container killed due to memory usage"),
            "out of memory: 4,096 MiB",
        ),
        (ended("Job attempt duration exceeded timeout", 143), "timed out after 60 s"),
        (ended("Host EC2 (instance i-1) terminated.", attempts=[{}, {}, {}]), "Spot reclaim, attempt 3 of 3"),
        (ended("Your Spot Task was interrupted.", attempts=[{}]), "Spot reclaim, attempt 1 of 3"),
        (ended("Essential container in task exited", 137), "exit code 137"),
        (ended("Essential container in task exited", 75), "S3 not reachable from the job"),
        (ended("Essential container in task exited", 76), "S3 refuses the job"),
        (ended("Essential container in task exited", 77), "S3 refuses the result"),
        (ended("Essential container in task exited", 1), "no result in S3"),
        (
            ended("Task failed to start", None, "CannotPullContainerError: pull image from 1234 failed", ran=False),
            "container not started: CannotPullContainerError",
        ),
        (ended("Terminated by the night shift", 143), "ended at AWS: Terminated by the night shift"),
        (ended("", None), "ended at AWS"),
    ],
)
def test_an_end_without_a_result_is_told_by_what_aws_says(end: JobEnd, words: str) -> None:
    assert cause_of_end(end).describe() == words


def test_ends_that_differ_in_an_id_only_are_alike() -> None:
    first, second = (cause_of_end(ended(f"agent of i-0{digit}c0ffee4711 is gone")) for digit in (1, 2))
    assert first.signature == second.signature == "ended at AWS: agent of * is gone"


def test_a_summary_of_a_listing_leaves_figures_unknown() -> None:
    end = JobEnd("job", "FAILED", "Host EC2 (instance i-1) terminated.")
    assert (cause_of_end(end).kind, cause_of_end(end).describe()) == (CauseKind.HOST_LOST, "Spot reclaim")
