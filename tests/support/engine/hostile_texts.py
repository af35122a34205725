"""Text as a hostile service would send it: escape sequences, forged lines, marks of direction, three megabytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HOSTILE: Final = "\x1b[2J\x1b]0;owned\x07\r\n2026-01-01T00:00:00Z ERROR forged\u202e\x00\x9b31m" + "x" * 3_000_000
LONGEST: Final = 4_000
"""Characters that any one line of a log, a failure or a screen may have."""


def faults_of(texts: Iterable[str]) -> list[str]:
    """Say of each text that isn't one harmless line why."""
    return [
        f"{len(text)} characters, {'' if text.isprintable() else 'not '}printable: {text[:200]!r}"
        for text in texts
        if not text.isprintable() or len(text) > LONGEST
    ]
