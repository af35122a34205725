"""Output of tasks on its way to clients that asked for it: what was sent while they run, and what is left for the end.

Each byte of a stream has one place, which log and result agree on: a part that doesn't follow what was sent before
isn't sent, and the end begins where the parts ended. What a barrier hasn't proved counts as not sent when the
connection ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.model import Printed, PrintedEnd, PrintedPart

Ends = tuple[int, int]
"""Bytes of standard output and of standard error."""

BEGINNING: Final[Ends] = (0, 0)
STARTED_AGAIN: Final = "[scaler-batch: the task was started again, and its output begins anew]\n"
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""Bytes that no UTF-8 character begins with."""


@dataclass(slots=True, eq=False)
class _Sent:
    run: str
    is_another: bool
    """Output of an earlier run of the task was sent."""
    ends: Ends = BEGINNING
    proved: Ends = BEGINNING


class StreamedOutput:
    """How far the output of each task was sent; about 200 bytes a task that is followed."""

    def __init__(self) -> None:
        self._sent: dict[bytes, _Sent] = {}

    def take(self, part: PrintedPart) -> tuple[Ends, list[tuple[int, str]]] | None:
        """Count a part as sent; gives where it began, and what to send, by descriptor. None: it doesn't follow."""
        sent = self._of_run(part)
        if sent.ends[0] >= part.ends[0] and sent.ends[1] >= part.ends[1]:
            return sent.ends, []
        if part.begins != sent.ends:
            return None
        begins, sent.ends = sent.ends, part.ends
        note = [(1, STARTED_AGAIN)] if sent.is_another and begins == BEGINNING else []
        return begins, note + [(descriptor, text.decode(errors="replace")) for descriptor, text in part.pieces]

    def take_back(self, part: PrintedPart, begins: Ends) -> None:
        """It was not sent after all."""
        sent = self._sent.get(part.task_id)
        if sent is not None and (sent.run, sent.ends) == (part.run, part.ends):
            sent.ends = begins

    def rest(self, task_id: bytes, printed: Printed) -> tuple[str, str]:
        """Text of both streams that is left to be sent, now that the task has ended."""
        sent = self._sent.get(task_id)
        is_same = sent is not None and sent.run == printed.run
        begins = sent.ends if sent is not None and is_same else BEGINNING
        was_sent = sent is not None and (sent.is_another or (not is_same and sent.ends != BEGINNING))
        stdout, stderr = _text("output", printed.stdout, begins[0]), _text("error output", printed.stderr, begins[1])
        again = STARTED_AGAIN if was_sent and begins == BEGINNING and (stdout or stderr) else ""
        return again + stdout, stderr

    def unproved(self) -> dict[bytes, tuple[str, Ends]]:
        """What the next barrier proves."""
        return {task_id: (one.run, one.ends) for task_id, one in self._sent.items() if one.ends != one.proved}

    def prove(self, proved: Mapping[bytes, tuple[str, Ends]]) -> None:
        """The scheduler has had this."""
        for task_id, (run, ends) in proved.items():
            sent = self._sent.get(task_id)
            if sent is not None and sent.run == run:
                sent.proved = ends

    def on_link_lost(self) -> None:
        """The connection ended: what is not proved may not have been received."""
        for sent in self._sent.values():
            sent.ends = sent.proved

    def forget(self, task_ids: Iterable[bytes]) -> None:
        """These tasks are over."""
        for task_id in task_ids:
            self._sent.pop(task_id, None)

    def _of_run(self, part: PrintedPart) -> _Sent:
        before = self._sent.get(part.task_id)
        if before is not None and before.run == part.run:
            return before
        sent = _Sent(part.run, before is not None and (before.is_another or before.ends != BEGINNING))
        if part.begins == BEGINNING:
            self._sent[part.task_id] = sent
        return sent


def _text(stream: str, printed: PrintedEnd, begin: int) -> str:
    """Passed through as it is, escape sequences included, as Scaler's own workers do: the terminal is the user's."""
    kept_from = printed.written - len(printed.kept)
    if begin >= kept_from:
        return printed.kept[begin - kept_from :].decode(errors="replace")
    _, newline, whole_lines = printed.kept.partition(b"\n")
    rest = whole_lines if newline else printed.kept.lstrip(_CONTINUATION)
    lost = printed.written - len(rest) - begin
    return (
        f"[scaler-batch: {lost:,} bytes of the task's {stream} left out here; its job's log has them]\n"
        + rest.decode(errors="replace")
    )
