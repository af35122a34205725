"""A pack: consecutive entries of a submission that one job runs in order, one at a time, a process for each.

The order is the evidence. A job that dies was at the lowest entry without a result: that one may have been called, all
later ones were not. So each result is written before the next entry starts, and another attempt starts at the first
hole. `batch_job_runner` runs the single entry; here is what is only about many.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from batch_job_frames import BlobRef, DamagedEntry, TaskEntry
from batch_job_protocol import RunnerExit
from batch_job_quoting import log

_KEPT_BYTES: Final = 64 * 1024 * 1024  # of shared blobs that the last entry didn't use
_FOLDER: Final = "scaler-batch-task-"

Entry = TaskEntry | DamagedEntry


class PackedTasks(Protocol):
    """What can be done with one entry; what a call of S3 raises comes through and ends the job."""

    def is_written(self, entry: Entry) -> bool:
        """Whether an earlier attempt wrote its result."""

    def is_cancelled(self, entry: Entry) -> bool:
        """Whether it has a mark that it shall not be started."""

    def skip(self, entry: Entry) -> RunnerExit:
        """Write the result that says that it never starts."""

    def run(self, entry: Entry) -> RunnerExit:
        """Run it and write its result; `DONE` once that is written, whatever it says."""


def run_pack(entries: Iterable[Entry], tasks: PackedTasks, is_ending: Callable[[], bool]) -> RunnerExit:
    """Give each entry a result, in order; the first that gets none ends the job, with the code that says why.

    No entry is started once `is_ending`.
    """
    for entry in entries:
        if is_ending():
            log("ended by SIGTERM, the entries that are left were not started")
            return RunnerExit.TRY_AGAIN
        if tasks.is_written(entry):
            continue
        code = tasks.skip(entry) if tasks.is_cancelled(entry) else tasks.run(entry)
        if code is not RunnerExit.DONE:
            return code
    return RunnerExit.DONE


@contextlib.contextmanager
def own_folder() -> Iterator[str]:
    """A folder for the temporary files of one task, which goes with it; empty where none can be made."""
    try:
        folder = tempfile.mkdtemp(prefix=_FOLDER)
    except OSError as error:
        log(f"no folder of its own for the task's temporary files: {type(error).__name__}")
        folder = ""
    try:
        yield folder
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


class SharedBlobs:
    """Blobs that entries of a pack share, each read once: those of the last entry, and some of the others'."""

    def __init__(self, read: Callable[[BlobRef], bytes]) -> None:
        self._read = read
        self._blobs: dict[str | int | None, bytes] = {}

    def get(self, ref: BlobRef) -> bytes:
        """The bytes of the blob. Raises what reading it raises."""
        key = ref.digest or ref.offset
        data = self._blobs.pop(key, None)
        self._blobs[key] = self._read(ref) if data is None else data  # at the end: the first one is the oldest
        return self._blobs[key]

    def forget(self, used: Iterable[BlobRef]) -> None:
        """Let go what the entry with the blobs `used` doesn't need, the oldest first, beyond what may stay."""
        needed = {ref.digest or ref.offset for ref in used}
        spare = {key: len(data) for key, data in self._blobs.items() if key not in needed}
        size = sum(spare.values())
        for key, length in spare.items():
            if size <= _KEPT_BYTES:
                return
            del self._blobs[key]
            size -= length
