"""The order of a pack's entries, which is the evidence: one after the other, a result before the next one.

A job that dies was at the lowest entry without a result: that one may have been called, all later ones were not. So
each result is written before the next entry starts, and another attempt starts at the first hole. Where results come
faster than one a second they may be written together (`segments`); where a job has several vCPUs it may have several
lanes (`lanes`), each of which keeps this order with the entries that it takes. `tasks` runs one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from batch_job_quoting import log
from batch_job_wire.payload_frames import DamagedEntry, TaskEntry
from batch_job_wire.protocol import RunnerExit

Entry = TaskEntry | DamagedEntry


class PackedTasks(Protocol):
    """What can be done with one entry; what a call of S3 raises comes through and ends the job."""

    def settle(self, place: int) -> RunnerExit:
        """Write what has to be written before the entry at this place may be called; `DONE` once that is."""

    def is_written(self, entry: Entry, place: int) -> bool:
        """Whether an earlier attempt wrote its result."""

    def is_cancelled(self, entry: Entry, place: int) -> bool:
        """Whether it has a mark that it shall not be started, or had one when it was announced with others."""

    def skip(self, entry: Entry, place: int) -> RunnerExit:
        """Give it the result that says that it never starts."""

    def run(self, entry: Entry, place: int) -> RunnerExit:
        """Run it and give it a result; `DONE` once it has one, whatever that says."""

    def finish(self) -> RunnerExit:
        """Write what is left to write; `DONE` once that is."""


def run_pack(entries: Iterable[tuple[int, Entry]], tasks: PackedTasks, is_ending: Callable[[], bool]) -> RunnerExit:
    """Give each entry a result, in order; the first that gets none ends the job, with the code that says why.

    Each comes with its place in the submission's frame. No entry is started once `is_ending`.
    """
    try:
        code = _run_entries(entries, tasks, is_ending)
    except BaseException:
        left = tasks.finish()
        if left is RunnerExit.DONE:
            raise
        return left
    left = tasks.finish()
    return code if left is RunnerExit.DONE else left


def _run_entries(entries: Iterable[tuple[int, Entry]], tasks: PackedTasks, is_ending: Callable[[], bool]) -> RunnerExit:
    for place, entry in entries:
        if is_ending():
            log("ended by SIGTERM, the entries that are left were not started")
            return RunnerExit.TRY_AGAIN
        code = tasks.settle(place)  # before its mark is looked for: who sets that sees what was announced by then
        if code is RunnerExit.DONE and not tasks.is_written(entry, place):
            code = tasks.skip(entry, place) if tasks.is_cancelled(entry, place) else tasks.run(entry, place)
        if code is not RunnerExit.DONE:
            return code
    return RunnerExit.DONE
