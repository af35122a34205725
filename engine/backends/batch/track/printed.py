"""Output of a task as its job tells it: the end of each stream in its result, and before that marked lines of its log.

Marks tell what lines of the log are (`OutputMark`); what doesn't fit its mark isn't told, and comes with the result.
"""

from __future__ import annotations

import base64
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from container.batch_job_quoting import runner_text
from container.batch_job_results import OUTPUT_KINDS, OutputMark, ResultMeta
from engine.model import LogEvent, Printed, PrintedEnd, PrintedPart

HELD_CHARACTERS: Final = 512 * 1024
"""Of lines that wait for their mark; a runner leaves half as many bytes unmarked at the most."""


def printed_of(meta: ResultMeta, submission_id: str) -> Printed | None:
    """Read what the runner kept of both streams; None: it kept nothing, since it didn't know that it should."""
    if not meta.is_output_kept:
        return None
    return Printed(
        _run_of(submission_id, meta.attempt),
        PrintedEnd(base64.b64decode(meta.stdout), meta.stdout_bytes),
        PrintedEnd(base64.b64decode(meta.stderr), meta.stderr_bytes),
    )


class MarkedLog:
    """Log stream of a job that is read on and on, from its beginning or from anywhere.

    A task may print what looks like a mark: only those of `task_ids`, which the job runs, are heard.
    """

    def __init__(self, submission_id: str, task_ids: Collection[bytes]) -> None:
        self._submission_id = submission_id
        self._tasks = frozenset(task_id.hex() for task_id in task_ids)
        self._lines: deque[str] = deque()
        self.held = 0
        """Characters of the lines that wait for their mark."""
        self._broken: set[str] = set()
        """Tasks of which a mark didn't fit: nothing later of theirs would follow what was told."""

    def take(self, events: Iterable[LogEvent]) -> list[PrintedPart]:
        """Take the next events; gives what they tell of the tasks' output."""
        parts = (self._take_line(line) for event in events for line in event.text.split("\n") if line)
        return [part for part in parts if part is not None]

    def _take_line(self, line: str) -> PrintedPart | None:
        said = runner_text(line)
        if said is not None:
            mark = OutputMark.parse(said)
            return None if mark is None else self._take_mark(mark)
        self._lines.append(line)
        self.held += len(line)
        while self.held > HELD_CHARACTERS:
            self.held -= len(self._lines.popleft())
        return None

    def _take_mark(self, mark: OutputMark) -> PrintedPart | None:
        told = sum(count for kind, count in mark.runs if not OUTPUT_KINDS[kind][1])
        lines = list(self._lines)[len(self._lines) - told :] if told else []
        is_whole = told <= len(self._lines)
        self._lines.clear()
        self.held = 0
        pieces = _pieces(mark, lines) if is_whole else ()
        if (
            mark.task_id not in self._tasks - self._broken
            or zlib.crc32(b"".join(text for _, text in pieces)) != mark.checksum
        ):
            self._broken.add(mark.task_id)
            return None
        run = _run_of(self._submission_id, mark.attempt)
        return PrintedPart(bytes.fromhex(mark.task_id), run, pieces, (mark.stdout_end, mark.stderr_end))


def _pieces(mark: OutputMark, lines: Sequence[str]) -> tuple[tuple[int, bytes], ...]:
    """Each run with its descriptor; none of a mark that claims more empty lines than any runner tells of at once."""
    empty = sum(count for kind, count in mark.runs if OUTPUT_KINDS[kind][1])
    return () if empty > HELD_CHARACTERS else tuple(_runs(mark, lines))


def _runs(mark: OutputMark, lines: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    begin = 0
    for kind, count in mark.runs:
        descriptor, is_empty = OUTPUT_KINDS[kind]
        if is_empty:
            yield descriptor, b"\n" * count
        else:
            text = "\n".join(lines[begin : begin + count]) + "\n"
            yield descriptor, text.encode(errors="replace")
            begin += count


def _run_of(submission_id: str, attempt: int) -> str:
    return f"{submission_id}/{attempt}"
