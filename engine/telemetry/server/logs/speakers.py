"""Whose a line of a job's log is: where a job runs several tasks, its runner says where each begins and ends."""

from __future__ import annotations

from collections.abc import Iterable

from container.batch_job_quoting import is_speaker_line, runner_text, speaker_of
from container.batch_job_wire.results import OutputMark
from engine.model import LogEvent
from engine.telemetry.schema.messages import LogLine
from engine.telemetry.server.logs.ring import lines_of


class Speakers:
    """Tells apart the tasks of one stream, which is read on and on. `task_id` is whose a line is that nobody claims."""

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        self._speaking = ""

    def lines(self, events: Iterable[LogEvent]) -> list[LogLine]:
        """The next lines of the stream for people, without numbers, each with its task."""
        lines = [line for event in events for line in lines_of(self._task_id, event) if not _is_mark(line)]
        if not self._speaking:
            self._speaking = _first_speaker(lines)
        attributed = [self._attributed(line) for line in lines]
        return [line for line in attributed if not is_speaker_line(line.text)]

    def _attributed(self, line: LogLine) -> LogLine:
        said = speaker_of(line.text)
        if said is not None:
            self._speaking = said[0] if said[1] else ""
        speaking = said[0] if said is not None else self._speaking
        return replace_task(line, speaking) if speaking else line


def _is_mark(line: LogLine) -> bool:
    return OutputMark.parse(runner_text(line.text)) is not None


def replace_task(line: LogLine, task_id: str) -> LogLine:
    """The same line as another task's."""
    return LogLine(line.seq, line.at, task_id, line.text, line.cut)


def _first_speaker(lines: Iterable[LogLine]) -> str:
    """Who is speaking before the first mark: the one whose end that is."""
    said = next((said for line in lines if (said := speaker_of(line.text)) is not None), None)
    return said[0] if said is not None and not said[1] else ""
