"""The runner's log lines, written straight to the job's standard error. Never a value, only ids, sizes and times."""

from __future__ import annotations

import contextlib
import os


def log(text: str) -> None:
    """Write one line to standard error."""
    with contextlib.suppress(OSError):  # nobody reads our log any more: the result matters still
        os.write(2, f"scaler-batch-runner: {text}\n".encode(errors="backslashreplace"))
