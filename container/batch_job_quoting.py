"""Quoting of foreign text: what AWS, a frame, a key or a task says, on its way into a log or an error.

The runner's own log lines are made here, too: they are quoted and bounded the same way.
Stdlib only, Python 3.10+: the runner imports it as `batch_job_quoting`, the engine as `container.batch_job_quoting`.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Final

QUOTED: Final = 300
"""Characters of a foreign text that a log or an error shows."""
_PREFIX: Final = "scaler-batch-runner: "
_LOGGED: Final = 2_000
"""Characters of a line of the runner's log."""


def quote_foreign(text: object, limit: int = QUOTED) -> str:
    """The text on one line, without control characters, at most about `limit` characters long.

    What isn't printable (escape sequences, line ends, marks that turn the direction of writing) is shown as Python's
    own escapes; of a longer text the length is told.
    """
    given = str(text)
    shown = given[:limit]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else _escape(char) for char in shown)
    if len(shown) <= limit and len(given) <= limit:
        return shown
    return f"{shown[:limit]}... ({len(given)} characters)"


def quote_foreign_lines(text: object, limit: int) -> str:
    """The same for a text of several lines, which stay lines: of a longer text the last `limit` characters."""
    return "\n".join(quote_foreign(line, limit) for line in str(text)[-limit:].expandtabs().split("\n"))


def log(text: str) -> None:
    """Write one line of the runner's to standard error, bounded. Never a value, only ids, sizes and times."""
    with contextlib.suppress(OSError):  # nobody reads our log any more: the result matters still
        os.write(2, f"{_PREFIX}{quote_foreign(text, _LOGGED)}\n".encode(errors="backslashreplace"))


def runner_text(line: str) -> str | None:
    """What the runner says in this line of a job's log; None: the line isn't its own."""
    return line.removeprefix(_PREFIX) if line.startswith(_PREFIX) else None


_OF_TASK: Final = f"{_PREFIX}task (?P<task>[0-9a-f]{{32}}): (?P<begins>attempt \\d+, )?"


_GOES_ON: Final = ", goes on"


def speaker_line(task_id: str, attempt: int) -> str:
    """The runner's line behind which those of a task stand that were interrupted by another's."""
    return f"{_PREFIX}task {task_id}: attempt {attempt}{_GOES_ON}\n"


def is_speaker_line(line: str) -> bool:
    """Whether a line of a job's log says whose the next ones are, and nothing else."""
    return line.endswith(_GOES_ON) and speaker_of(line) is not None


def speaker_of(line: str) -> tuple[str, bool] | None:
    """The task (in hex) that a line of the runner's is about, and whether the next lines are its own.

    None: another line. A job writes one before a task's lines and one after them; a job with lanes also wherever the
    lines of another task follow.
    """
    said = re.match(_OF_TASK, line)
    return None if said is None else (said["task"], said["begins"] is not None)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
