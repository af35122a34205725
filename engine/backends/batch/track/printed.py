"""Output of a task as its job tells it: the end of each stream in its result, and before that marked lines of its log.

Marks tell what lines of the log are (`OutputMark`); what doesn't fit its mark isn't told, and comes with the result.
"""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from container.batch_job_quoting import runner_text, speaker_of
from container.batch_job_wire.results import OUTPUT_KINDS, OutputMark, ResultMeta
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

    A task may print what looks like a mark: only those of `task_ids`, which the job runs, are heard. Of a job that
    runs several at once a mark is about the lines of its own task alone.
    """

    def __init__(self, submission_id: str, task_ids: Collection[bytes]) -> None:
        self._submission_id = submission_id
        self._tasks = frozenset(task_id.hex() for task_id in task_ids)
        self._lines: defaultdict[str, deque[str]] = defaultdict(deque)
        """That wait for their mark, by the task that they are of, empty where none was named before them."""
        self._speaking = ""
        self.held = 0
        """Characters of these lines."""
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
            if mark is not None:
                return self._take_mark(mark)
            self._note_speaker(line)
            return None
        self._lines[self._speaking].append(line)
        self.held += len(line)
        while self.held > HELD_CHARACTERS:
            self._drop_oldest()
        return None

    def _note_speaker(self, line: str) -> None:
        """What a task still prints behind its end is its own, until another one is named."""
        task_id, begins = speaker_of(line) or ("", False)
        if begins:
            self._speaking = task_id if task_id in self._tasks else ""

    def _drop_oldest(self) -> None:
        """Of the task that has waited longest for a mark."""
        task_id, lines = next(iter(self._lines.items()))
        self.held -= len(lines.popleft())
        if not lines:
            del self._lines[task_id]

    def _take_lines(self, task_id: str) -> deque[str]:
        lines = self._lines.pop(task_id if task_id in self._lines else "", deque())
        self.held -= sum(map(len, lines))
        return lines

    def _take_mark(self, mark: OutputMark) -> PrintedPart | None:
        told = sum(count for kind, count in mark.runs if not OUTPUT_KINDS[kind][1])
        held = self._take_lines(mark.task_id)
        lines = list(held)[len(held) - told :] if told else []
        is_whole = told <= len(held)
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
