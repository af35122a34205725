"""The runner's log lines, written straight to the job's standard error. Never a value, only ids, sizes and times."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from batch_job_quoting import quote_foreign

_LIMIT: Final = 2_000


def log(text: str) -> None:
    """Write one line to standard error: whatever is in `text`, it is one line, and bounded."""
    with contextlib.suppress(OSError):  # nobody reads our log any more: the result matters still
        os.write(2, f"scaler-batch-runner: {quote_foreign(text, _LIMIT)}\n".encode(errors="backslashreplace"))
