"""Assessment of one check, and the cause for a job's waiting that may follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.diagnosis.model import CheckStatus, Remedy, VerdictKind

LASTING_S: Final = 600.0
"""AWS's reasons come and go while an environment scales; what lasts this long is final."""


class Certainty(StrEnum):
    """What a verdict rests on."""

    AWS = "AWS says so"
    EVIDENCE = "by evidence"
    MAY_PASS = "may pass: less than ten minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why the job waits: a verdict with its kind, and what to do about it."""

    kind: VerdictKind
    verdict: str
    text: str
    remedies: tuple[Remedy, ...] = ()
    settles: bool = True
    """Nothing more has to be read."""
    passes: bool = False
    """It often goes away by itself, so it is final only when it lasts."""
    symptom: bool = False
    """Follows from something else, which is the verdict where it is known."""
    certainty: Certainty = Certainty.EVIDENCE


@dataclass(frozen=True, slots=True)
class Assessment:
    """Result of one check. `advice` betters something that is no reason to wait."""

    result: CheckStatus
    evidence: str
    cause: Cause | None = None
    advice: tuple[Remedy, ...] = ()

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """Everything to do about it: against the cause, and the advice."""
        return (*(self.cause.remedies if self.cause is not None else ()), *self.advice)


def passed(evidence: str, cause: Cause | None = None) -> Assessment:
    """Assessment of something that is well; a cause that needs nobody may be read from it all the same."""
    return Assessment(CheckStatus.PASS, evidence, cause)


def warned(evidence: str, cause: Cause | None = None, advice: tuple[Remedy, ...] = ()) -> Assessment:
    """Assessment of something that may hold jobs up."""
    return Assessment(CheckStatus.WARN, evidence, cause, advice)


def failed(evidence: str, cause: Cause | None = None) -> Assessment:
    """Assessment of something that holds jobs up."""
    return Assessment(CheckStatus.FAIL, evidence, cause)


def unknown(evidence: str) -> Assessment:
    """Assessment of something that could not be read; `evidence` says why."""
    return Assessment(CheckStatus.UNKNOWN, evidence)


def format_duration(seconds: float) -> str:
    """For people: 42 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
