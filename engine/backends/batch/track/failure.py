"""What a client gets for a task whose runner could not write a result: a builtin exception that says why."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, Final

from container.batch_job_protocol import RESULT_WRITTEN, RunnerExit
from engine.model import Outcome, Profile

OUT_OF_MEMORY: Final = "OutOfMemory"
TIMED_OUT: Final = "Job attempt duration exceeded timeout"


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How Batch says that a job ended; what it doesn't tell is empty or None."""

    job_id: str
    status: str
    status_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    log_stream: str = ""
    attempts: int = 0

    @classmethod
    def of(cls, job: dict[str, Any]) -> JobEnd:
        """From a DescribeJobs detail or a ListJobs summary."""
        container = job.get("container") or {}
        attempts = job.get("attempts") or []
        last = (attempts[-1].get("container") or {}) if attempts else {}
        merged = {**last, **{name: value for name, value in container.items() if value is not None}}
        return cls(
            job_id=job["jobId"],
            status=job.get("status", ""),
            status_reason=job.get("statusReason") or "",
            exit_code=merged.get("exitCode"),
            container_reason=merged.get("reason") or "",
            log_stream=merged.get("logStreamName") or "",
            attempts=len(attempts),
        )

    @property
    def promises_result(self) -> bool:
        """Whether the job ended in a way that the runner ends only after the result was written."""
        if self.status == "SUCCEEDED":
            return True
        return self.exit_code in RESULT_WRITTEN and not self.container_reason and not self.was_timed_out

    @property
    def was_timed_out(self) -> bool:
        return TIMED_OUT.lower() in self.status_reason.lower()

    @property
    def was_out_of_memory(self) -> bool:
        return OUT_OF_MEMORY in self.container_reason

    def describe(self) -> str:
        """Status reason, container reason, exit code and job id, as far as Batch tells them."""
        parts = [
            self.status_reason and f"status reason: {self.status_reason}",
            self.container_reason and f"container: {self.container_reason}",
            f"exit code: {self.exit_code}" if self.exit_code is not None else "",
            f"attempts: {self.attempts}" if self.attempts > 1 else "",
            f"job id: {self.job_id}",
        ]
        return "; ".join(part for part in parts if part)


def job_failure(end: JobEnd, log_tail: str) -> Exception:
    """The exception of a job that ended without a result."""
    kind, what = _kind(end)
    return kind(_with_log(f"{what} ({end.describe()})", log_tail))


def missing_result(end: JobEnd, waited_s: float, log_tail: str) -> Exception:
    """The exception of a job that should have written a result."""
    text = f"the job ended as {end.status} but no result appeared in S3 within {waited_s:.0f} s ({end.describe()})"
    return RuntimeError(_with_log(text, log_tail))


def failed(task_id: bytes, error: Exception) -> Outcome:
    """A failure's outcome: bytes that any client can unpickle."""
    reason = str(error).partition("\n")[0]
    return Outcome(task_id, succeeded=False, body=pickle.dumps(error), profile=Profile(), reason=reason)


def _kind(end: JobEnd) -> tuple[type[Exception], str]:
    if end.was_out_of_memory:
        return MemoryError, "the job ran out of memory"
    if end.was_timed_out:
        return TimeoutError, "the job ran into its time-out"
    if end.exit_code == RunnerExit.TRY_AGAIN:
        return RuntimeError, "the job could not reach S3, and its attempts are used up"
    if end.exit_code == RunnerExit.REFUSED:
        return RuntimeError, "the job may not use S3: check the job role's policy and the bucket"
    if end.status_reason.startswith("Host EC2"):
        return RuntimeError, "the job lost its host in each attempt"
    if end.exit_code is None:
        return RuntimeError, "the job never ran its function"
    return RuntimeError, "the job failed"


def _with_log(text: str, log_tail: str) -> str:
    return f"{text}\nlast log lines:\n{log_tail}" if log_tail else text
