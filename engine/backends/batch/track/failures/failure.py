"""Failures of jobs: how one ended, and the builtin exception that a client gets when there is no result."""

from __future__ import annotations

from typing import Final

import msgspec

from container.batch_job_quoting import quote_foreign, quote_foreign_lines
from container.batch_job_wire.protocol import MORE_MEMORY, RESULT_WRITTEN, RunnerExit
from engine.aws.batch_jobs import BatchJob
from engine.aws.batch_states import BatchState
from engine.aws.retry_rules import HOST_LOST, are_retried
from engine.backends.batch.submit.code_trial import OLD_IMAGE

UNKNOWN: Final = "unknown to AWS Batch"
"""In place of a status, when Batch has forgotten the job."""
OUT_OF_MEMORY: Final = "OutOfMemory"
TIMED_OUT: Final = "Job attempt duration exceeded timeout"
START_FAILURES: Final = (
    "AGENT",
    "CannotCreateContainerError",
    "CannotPull",
    "CannotStartContainerError",
    "DockerTimeoutError",
    "ResourceInitializationError",
)
"""Reasons of ECS and Batch for containers that never ran.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
"""
LOG_TAIL: Final = 16_000
"""Characters of a job's log in an exception."""


class JobEnd(msgspec.Struct, frozen=True):
    """End of a job as Batch tells it; what it leaves open is empty or None."""

    job_id: str
    status: str
    status_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    log_stream: str = ""
    attempts: int = 0
    started: bool = True
    """Its container ran in the last attempt, or may have."""
    attempts_allowed: int = 0
    memory_mib: int | None = None
    timeout_s: float = 0.0
    """Of an attempt."""
    log_group: str = ""
    """Where `log_stream` is, by the revision of the definition that it ran with; empty with another log driver."""

    @classmethod
    def of(cls, job: BatchJob) -> JobEnd:
        """From a DescribeJobs detail or a ListJobs summary."""
        return cls(
            job.job_id,
            job.state,
            job.status_reason,
            job.exit_code,
            job.container_reason,
            job.log_stream,
            job.attempts_ended,
            started=job.started_at is not None,
            attempts_allowed=job.attempts_allowed,
            memory_mib=None if job.memory_mib is None else int(job.memory_mib),
            timeout_s=job.timeout_s or 0.0,
            log_group=job.log_group,
        )

    @property
    def is_known(self) -> bool:
        """Batch told it."""
        return self.status != UNKNOWN

    @property
    def promises_result(self) -> bool:
        """The runner ends with 0, 1 or 2 only after the result was written."""
        if self.status == BatchState.SUCCEEDED:
            return True
        return self.exit_code in RESULT_WRITTEN and not self.container_reason and not self.was_timed_out

    @property
    def was_timed_out(self) -> bool:
        """Batch ended an attempt for its attemptDurationSeconds.

        https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
        """
        return TIMED_OUT.lower() in self.status_reason.lower()

    @property
    def was_not_started(self) -> bool:
        """An attempt was made, its container never ran, and no retry rule made AWS try again.

        A job that somebody terminated while it waited had no attempt, and is none of these.
        """
        if self.started or self.exit_code is not None or are_retried(self.status_reason, self.exit_code):
            return False
        reasons = (self.status_reason, self.container_reason)
        return self.attempts > 0 or any(reason.startswith(START_FAILURES) for reason in reasons)

    @property
    def lost_its_host(self) -> bool:
        """AWS took the host away, in its last attempt."""
        return self.status_reason.startswith(HOST_LOST)

    @property
    def was_out_of_memory(self) -> bool:
        """ECS killed the container for its memory."""
        return OUT_OF_MEMORY in self.container_reason

    def describe(self) -> str:
        """Say status reason, container reason, exit code and job id in one line, as far as Batch tells them."""
        parts = [
            self.status_reason and f"status reason: {quote_foreign(self.status_reason)}",
            self.container_reason and f"container: {quote_foreign(self.container_reason)}",
            f"exit code: {self.exit_code}" if self.exit_code is not None else "",
            f"attempts: {self.attempts}" if self.attempts > 1 else "",
            f"job id: {quote_foreign(self.job_id)}",
        ]
        return "; ".join(part for part in parts if part)


def job_failure(end: JobEnd, log_tail: str) -> Exception:
    """Make the exception of a job that ended without a result."""
    kind, what = _kind(end)
    return kind(_with_log(f"{what} ({end.describe()})", log_tail))


def hosts_lost(end: JobEnd, jobs: int, log_tail: str) -> Exception:
    """Make the exception of a task of which so many `jobs` lost their host, one after the other."""
    what = f"{jobs} jobs of the task lost their host, each in every attempt" if jobs > 1 else _kind(end)[1]
    return RuntimeError(_with_log(f"{what}; --max-host-loss-retries bounds that ({end.describe()})", log_tail))


def missing_result(end: JobEnd, waited_s: float, log_tail: str) -> Exception:
    """Make the exception of a job that should have written a result; `waited_s` in seconds."""
    status = quote_foreign(end.status)
    text = f"the job ended as {status} but no result appeared in S3 within {waited_s:.0f} s ({end.describe()})"
    return RuntimeError(_with_log(text, log_tail))


def refused_code(end: JobEnd, log_tail: str) -> Exception:
    """Make the exception of a job whose image refused the payload of a task with code of the user's own."""
    return RuntimeError(_with_log(f"{OLD_IMAGE} ({end.describe()})", log_tail))


def _kind(end: JobEnd) -> tuple[type[Exception], str]:
    if end.was_out_of_memory:
        has = f" of the {end.memory_mib:,} MiB that it has" if end.memory_mib else ""
        return MemoryError, f"the job ran out of memory{has}; {MORE_MEMORY}"
    if end.was_timed_out:
        return TimeoutError, "the job ran into its time-out"
    if end.exit_code == RunnerExit.TRY_AGAIN:
        return RuntimeError, "the job could not reach S3, and its attempts are used up"
    if end.exit_code == RunnerExit.REFUSED:
        return RuntimeError, "the job may not use S3: check the job role, its policy and the bucket"
    if end.exit_code == RunnerExit.UNWRITTEN:
        return RuntimeError, "the function was called, but S3 refuses its result: check the job role's policy"
    if end.lost_its_host:
        return RuntimeError, "the job lost its host in each attempt"
    if end.exit_code is None:
        return RuntimeError, "the job never ran its function"
    return RuntimeError, "the job failed"


def _with_log(text: str, log_tail: str) -> str:
    return f"{text}\nlast log lines:\n{quote_foreign_lines(log_tail, LOG_TAIL)}" if log_tail else text
