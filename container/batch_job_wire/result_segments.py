"""Segments: small results of a pack in one object, and what its name proves of the calls that were made."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from .protocol import results_prefix

SEGMENT_RESULTS: Final = 256
"""Results in a segment, and entries that its runner may call until it writes the next one, at the most."""
SEGMENT_RESULT_BYTES: Final = 64 * 1024
"""A larger result goes by itself."""
MAX_SEGMENT_BYTES: Final = 2 * 1024 * 1024
"""A runner begins no further result after half of them, so that no segment is larger."""
_SEGMENT: Final = "(0|[1-9][0-9]{0,6})-(0|[1-9][0-9]{0,2})-([1-9][0-9]{0,6})-([0-9a-f]{16})"
_PROOF_CHARACTERS: Final = 16


class ResultSegment(NamedTuple):
    """Consecutive results of one pack in one object, as its name tells: frames in the order of their entries.

    They are of so many entries of the submission's frame from the place `first` on. Until the runner has written
    another object it calls no entry at the place `until` or later, so that who reads a listing knows how far it came.
    Without `results` (0) it only says that. The `proof` is of who knows the submission's secret: any job of the
    prefix may write at any result's key, and a name that another one made up must not tell that a task was not called.
    """

    first: int
    results: int
    until: int
    proof: str = ""

    @property
    def end(self) -> int:
        """The place behind its last result."""
        return self.first + self.results

    @property
    def name(self) -> str:
        """Name of its object, beside those of single results."""
        return f"{self.first}-{self.results}-{self.until}-{self.proof}"

    def sealed(self, submission_id: str, secret: bytes) -> ResultSegment:
        """The same with its proof."""
        text = f"{submission_id}/{self.first}-{self.results}-{self.until}"
        proof = hmac.digest(secret, text.encode(), "sha256").hex()[:_PROOF_CHARACTERS]
        return self._replace(proof=proof)

    def is_sealed(self, submission_id: str, secret: bytes) -> bool:
        """Whether a job of the submission named it; takes constant time."""
        return hmac.compare_digest(self.proof, self.sealed(submission_id, secret).proof)


def parse_segment(name: str) -> ResultSegment | None:
    """The segment of this name; None for what no runner writes."""
    matched = re.fullmatch(_SEGMENT, name)
    if matched is None:
        return None
    *numbers, proof = matched.groups()
    segment = ResultSegment(*map(int, numbers), proof)
    is_right = segment.results <= SEGMENT_RESULTS and segment.end <= segment.until <= segment.end + SEGMENT_RESULTS
    return segment if is_right else None


def last_segment(segments: Iterable[ResultSegment]) -> ResultSegment | None:
    """The one of a pack's segments whose announcement counts: it ends last, and of two that end there it is nearer."""
    return max(segments, key=lambda one: (one.end, -one.until), default=None)


def segment_key(submission_id: str, segment: ResultSegment) -> str:
    """Key of a segment of a submission's results."""
    return f"{results_prefix(submission_id)}{segment.name}"
