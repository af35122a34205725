"""Causes of failures: read off a result's meta data, or off a job's end that left no result."""

from __future__ import annotations

import re
from typing import Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.protocol import RunnerExit
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.limits import MIB
from engine.aws.retry_rules import NOT_STARTED
from engine.backends.batch.track.failures.failure import JobEnd
from engine.causes import CauseKind, FailureCause
from engine.pickles.error_names import read_error_name

SHOWN_MESSAGE: Final = 200
"""Characters of an exception's message, for those who may see values."""
SHOWN_REASON: Final = 100
"""Characters of AWS's own reason."""

_OF_RUNNER: Final = {
    RunnerExit.TRY_AGAIN: CauseKind.S3_UNREACHABLE,
    RunnerExit.REFUSED: CauseKind.S3_REFUSED,
    RunnerExit.UNWRITTEN: CauseKind.RESULT_REFUSED,
}
_CODE: Final = re.compile(r"[A-Za-z]{1,60}(Error|Exception)\b")
_IDENTIFIER: Final = re.compile(r"\b(?=[\w-]*\d)[\w-]{8,}")
"""Of an instance, a task, a job: two ends that are alike differ in it."""


def cause_of_result(meta: ResultMeta, body: bytes, *, show_message: bool = False) -> FailureCause:
    """Read the cause off the runner's verdict, of an image of any release; `body` is the pickled exception."""
    message = quote_foreign(meta.message, SHOWN_MESSAGE) if show_message else ""
    if meta.status is ResultStatus.EXCEPTION:
        return FailureCause(
            CauseKind.RAISED, meta.error or read_error_name(body), meta.place, meta.phase, message=message
        )
    if meta.is_damaged:
        return FailureCause(CauseKind.DAMAGED, phase=meta.phase)
    if meta.is_timed_out:
        return FailureCause(CauseKind.TIMED_OUT, phase=meta.phase, seconds=meta.duration_s)
    if meta.is_out_of_memory:
        return FailureCause(CauseKind.OUT_OF_MEMORY, phase=meta.phase, memory_mib=meta.memory_limit // MIB or None)
    if meta.signal:
        return FailureCause(CauseKind.SIGNAL, phase=meta.phase, number=meta.signal)
    if meta.status is ResultStatus.DIED or meta.exit_code:
        return FailureCause(CauseKind.EXIT_CODE, phase=meta.phase, number=meta.exit_code)
    return FailureCause(CauseKind.UNLOADABLE, meta.error, meta.place, meta.phase, message=message)


def cause_of_end(end: JobEnd) -> FailureCause:
    """Read the cause off the end of a job without a result."""
    if end.was_out_of_memory:
        return FailureCause(CauseKind.OUT_OF_MEMORY, memory_mib=end.memory_mib)
    if end.was_timed_out:
        return FailureCause(CauseKind.TIMED_OUT, seconds=end.timeout_s)
    if end.lost_its_host:
        return FailureCause(CauseKind.HOST_LOST, attempt=end.attempts, attempts=end.attempts_allowed)
    if end.promises_result:
        return FailureCause(CauseKind.RESULT_MISSING)
    if end.exit_code in _OF_RUNNER:
        return FailureCause(_OF_RUNNER[RunnerExit(end.exit_code)])
    if end.was_not_started or end.status_reason.startswith(NOT_STARTED):
        return FailureCause(CauseKind.NOT_STARTED, _code(end.container_reason))
    if end.exit_code is not None and end.exit_code != RunnerExit.TERMINATED:
        return FailureCause(CauseKind.EXIT_CODE, number=end.exit_code)
    return FailureCause(CauseKind.ENDED_BY_AWS, _alike(end.status_reason or end.container_reason), number=end.exit_code)


def _code(reason: str) -> str:
    """`CannotPullContainerError` of a reason that begins so."""
    found = _CODE.match(reason)
    return found[0] if found else _alike(reason)


def _alike(reason: str) -> str:
    return quote_foreign(_IDENTIFIER.sub("*", reason), SHOWN_REASON)
