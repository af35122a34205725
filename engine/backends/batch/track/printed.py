"""Output of a task as its result frame brings it: text for its client's terminal, and what of it is left out."""

from __future__ import annotations

import base64
from typing import Final

from container.batch_job_results import ResultMeta
from engine.model import Printed

_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""Bytes that no UTF-8 character begins with."""


def printed_of(meta: ResultMeta) -> Printed | None:
    """Read what the runner kept of both streams; None: it kept nothing, since it didn't know that it should."""
    if not meta.is_output_kept:
        return None
    return Printed(
        _text("output", base64.b64decode(meta.stdout), meta.stdout_bytes),
        _text("error output", base64.b64decode(meta.stderr), meta.stderr_bytes),
    )


def _text(stream: str, kept: bytes, written: int) -> str:
    """Passed through as it is, escape sequences included, as Scaler's own workers do: the terminal is the user's."""
    if written <= len(kept):
        return kept.decode(errors="replace")
    _, newline, whole_lines = kept.partition(b"\n")
    rest = whole_lines if newline else kept.lstrip(_CONTINUATION)
    told = f"[scaler-batch: {written - len(rest):,} bytes of the task's {stream} left out here; its job's log has them]"
    return f"{told}\n{rest.decode(errors='replace')}"
