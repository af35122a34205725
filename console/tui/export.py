"""Export of job rows, one job or log lines as CSV, JSON or text. Nothing else is in them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from engine.telemetry.schema.messages import JobRecord, JobRow
from engine.telemetry.schema.objects import record_object, row_object

COLUMNS: Final = JobRow.__struct_fields__
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def rows_as_csv(rows: Sequence[JobRow]) -> str:
    """Format rows as CSV: a header line, then one line a job."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        known = row_object(row)
        writer.writerow([_cell(known[name]) for name in COLUMNS])
    return out.getvalue()


def rows_as_json(rows: Sequence[JobRow]) -> str:
    """Format rows as a JSON list of objects."""
    return _json([row_object(row) for row in rows])


def record_as_json(record: JobRecord) -> str:
    """Format a job as a JSON object by its fields' names; rows are arrays on the wire only."""
    return _json(record_object(record))


class ExportLine(Protocol):
    """Log line, as received or as displayed."""

    @property
    def at(self) -> float:
        """Unix seconds at which the job wrote the line."""

    @property
    def task_id(self) -> str:
        """Task whose job wrote the line."""

    @property
    def text(self) -> str:
        """Text without its line end."""


def lines_as_text(lines: Iterable[ExportLine]) -> str:
    """Format lines as time, task id and text, one line each."""
    return "".join(f"{line.at:.3f} {line.task_id} {line.text}\n" for line in lines)


def write_files(folder: Path, stem: str, texts: dict[str, str]) -> list[Path]:
    """Write `texts` by suffix, each to a new file readable by its owner only. Raises `OSError`."""
    written = []
    for suffix, text in texts.items():
        path = folder / f"{stem}.{suffix}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        written.append(path)
    return written


def _cell(value: object) -> object:
    """A spreadsheet runs a cell that begins like a formula; the quote before it keeps it text."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"
