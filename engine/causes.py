"""Causes of failures: a closed vocabulary, told as a table's reason, and as a signature by which failures are grouped.

A cause is made of what the runner measured and what AWS Batch reports, never of a sentence of ours. Nothing in it is a
value of a task, but for `message`, which is empty unless `--show-errors` is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_SIGNATURE: Final = 200
RUNNING: Final = "running"
"""The phase that is told of no exception and no exit code, because it is the usual one."""

_SIGNALS: Final = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    5: "SIGTRAP",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    10: "SIGUSR1",
    11: "SIGSEGV",
    12: "SIGUSR2",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    24: "SIGXCPU",
    25: "SIGXFSZ",
    31: "SIGSYS",
}
"""Of Linux, which jobs run on, wherever the engine does: https://man7.org/linux/man-pages/man7/signal.7.html"""


class CauseKind(StrEnum):
    """Kind of cause: the words that a table shows, unless figures come with it."""

    RAISED = "exception"
    """The function, its loading or the serialization of its result raised."""
    UNLOADABLE = "can't be loaded in the image"
    SIGNAL = "signal"
    EXIT_CODE = "exit code"
    DAMAGED = "its process wrote to the runner's descriptor"
    OUT_OF_MEMORY = "out of memory"
    TIMED_OUT = "timed out"
    HOST_LOST = "Spot reclaim"
    """Its host was taken away: of an instance that is not Spot that is rare."""
    NOT_STARTED = "container not started"
    ENDED_BY_AWS = "ended at AWS"
    """Neither an exit code nor a reason that this release knows; `what` is AWS Batch's own."""
    S3_UNREACHABLE = "S3 not reachable from the job"
    S3_REFUSED = "S3 refuses the job"
    RESULT_REFUSED = "S3 refuses the result"
    RESULT_MISSING = "no result in S3"
    RESULT_UNUSABLE = "unusable result"
    VANISHED = "unknown to AWS Batch"
    NOT_ACCEPTED = "not accepted by AWS"
    TOO_LARGE = "larger than any instance"
    UNREADABLE = "its objects can't be read"
    BROKEN_WISH = "its wish is not understood"
    DEFECT = "defect of the worker manager"


@dataclass(frozen=True, slots=True)
class FailureCause:
    """Cause of one failure, or of one more attempt. What isn't known is empty, 0 or None."""

    kind: CauseKind
    what: str = ""
    """Class of an exception, or AWS's own code or reason."""
    place: str = ""
    """Innermost frame of the user's code, `file:line function`."""
    phase: str = ""
    """`loading`, `running` or `returning`."""
    number: int | None = None
    """Signal or exit code."""
    memory_mib: int | None = None
    """What the job had."""
    seconds: float = 0.0
    """The time-out."""
    attempt: int = 0
    attempts: int = 0
    """Attempts that AWS Batch makes at most."""
    message: str = ""
    """The exception's, quoted and cut."""

    def describe(self) -> str:
        """Say it in a few words, with its figures."""
        match self.kind:
            case CauseKind.OUT_OF_MEMORY if self.memory_mib:
                return f"{self.kind}: {self.memory_mib:,} MiB"
            case CauseKind.TIMED_OUT if self.seconds:
                return f"{self.kind} after {self.seconds:,.0f} s"
            case CauseKind.HOST_LOST if self.attempt:
                allowed = f" of {self.attempts}" if self.attempts >= self.attempt else ""
                return f"{self.kind}, attempt {self.attempt}{allowed}"
            case CauseKind.RAISED | CauseKind.UNLOADABLE if self.message:
                return f"{self._name}: {self.message}"
        return self._name

    @property
    def signature(self) -> str:
        """The same for failures that are alike: neither values nor figures, at most `LONGEST_SIGNATURE` characters."""
        return f"{self._name} {self.place}".rstrip()[:LONGEST_SIGNATURE]

    @property
    def _name(self) -> str:
        match self.kind:
            case CauseKind.SIGNAL:
                name = f"signal {self.number} ({_SIGNALS.get(self.number or 0, 'real-time')})"
                return f"{name} while {self.phase}" if self.phase else name
            case CauseKind.EXIT_CODE:
                return f"exit code {self.number}{self._aside}"
            case CauseKind.RAISED | CauseKind.UNLOADABLE if self.what:
                return f"{self.what}{self._aside}"
            case _ if self.what:
                return f"{self.kind}: {self.what}"
        return self.kind.value

    @property
    def _aside(self) -> str:
        return "" if self.phase in ("", RUNNING) else f" while {self.phase}"
