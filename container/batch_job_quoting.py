"""Quoting of foreign text: what AWS, a frame, a key or a task says, on its way into a log or an error.

Stdlib only, Python 3.10+: the runner imports it as `batch_job_quoting`, the engine as `container.batch_job_quoting`.
"""

from __future__ import annotations

from typing import Final

QUOTED: Final = 300
"""Characters of a foreign text that a log or an error shows."""


def quote_foreign(text: object, limit: int = QUOTED) -> str:
    """The text on one line, without control characters, at most about `limit` characters long.

    What isn't printable (escape sequences, line ends, marks that turn the direction of writing) is shown as Python's
    own escapes; of a longer text the length is told.
    """
    given = str(text)
    shown = "".join(char if char.isprintable() else _escape(char) for char in given[:limit])
    if len(shown) <= limit and len(given) <= limit:
        return shown
    return f"{shown[:limit]}... ({len(given)} characters)"


def quote_foreign_lines(text: object, limit: int) -> str:
    """The same for a text of several lines, which stay lines: of a longer text the last `limit` characters."""
    return "\n".join(quote_foreign(line, limit) for line in str(text)[-limit:].expandtabs().split("\n"))


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
