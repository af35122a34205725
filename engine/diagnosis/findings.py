"""What a rung of the ladder sees, and the cause that may follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.diagnosis.model import CheckStatus, Remedy

LASTING_S: Final = 600.0
"""AWS's reasons come and go while an environment scales; what lasts this long is final."""


class Certainty(StrEnum):
    """What a verdict rests on."""

    AWS = "AWS says so"
    EVIDENCE = "by evidence"
    MAY_PASS = "may pass: less than ten minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why the job waits."""

    verdict: str
    """Empty for advice: something to better, but no reason to wait."""
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
    """How one rung looks."""

    result: CheckStatus
    evidence: str
    cause: Cause | None = None


def passed(evidence: str, cause: Cause | None = None) -> Assessment:
    return Assessment(CheckStatus.PASS, evidence, cause)


def warned(evidence: str, cause: Cause | None = None) -> Assessment:
    return Assessment(CheckStatus.WARN, evidence, cause)


def failed(evidence: str, cause: Cause | None = None) -> Assessment:
    return Assessment(CheckStatus.FAIL, evidence, cause)


def unknown(evidence: str) -> Assessment:
    return Assessment(CheckStatus.UNKNOWN, evidence)


def duration(seconds: float) -> str:
    """For people: 42 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
