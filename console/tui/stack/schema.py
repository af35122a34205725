"""Reader of what `scaler-batch` prints with `--json`: of `show`, `plan`, `provision`, `cleanup` and `build-image`.

Another process wrote it, so what doesn't fit `provisioner.json_schema` is an error in one sentence. Fields that a newer
version may add are left aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from engine.errors import EngineError
from provisioner.json_schema import RunEvent, StackEntry

Report = TypeVar("Report")


def read_report(text: bytes, report: type[Report]) -> Report:
    """Report of a command that only reads. Raises `EngineError` when `text` is no such report."""
    try:
        return msgspec.json.decode(text, type=report)
    except msgspec.DecodeError as error:
        raise EngineError(
            f"scaler-batch answered what this console can't read ({error}): use one version of both"
        ) from error


def read_event(line: bytes) -> RunEvent:
    """Event of a command that changes something. Raises `EngineError` when the line is none."""
    return read_report(line, RunEvent)  # type: ignore[arg-type]


def entry_of(entries: Sequence[StackEntry], region: str, queue: str) -> StackEntry | None:
    """Stack of a worker manager's `queue`, which may be a name or an ARN; None when none of the entries is."""
    name = queue.rpartition("/")[2]
    account = queue.split(":")[4] if queue.startswith("arn:") else None
    fitting = (entry for entry in entries if entry.region == region and entry.job_queue == name)
    return next((entry for entry in fitting if account in (None, entry.account)), None)
