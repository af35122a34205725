"""What a result says: how a task ended, what was measured, and the bounds of it; its frame is in `result_frames`."""

from __future__ import annotations

import re
import sys
from enum import Enum
from typing import Final, NamedTuple

MAX_RESULT_BYTES: Final = 5 * 2**30 - 2**20
"""Of a result's body: what one PUT of S3 takes, less room for the rest of the frame. Memory is the bound before that.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html; Scaler's object storage moves objects as they are.
"""
KEPT_BYTES: Final = 64 * 1024
"""Of each stream of a task whose client asked for its output: the last ones."""
LONGEST_ERROR: Final = 80
LONGEST_PLACE: Final = 200
LONGEST_MESSAGE: Final = 1_000
"""Characters of the meta data's texts about an exception."""

PYTHON_VERSION: Final = sys.version.split()[0].rstrip("+")
"""As `platform.python_version` says it, whose import takes as long as a packed task."""
MARKS_AFTER_S: Final = 2.0
"""Of a task that is over before nobody follows the log."""
OUTPUT_KINDS: Final = {"o": (1, False), "O": (1, True), "e": (2, False), "E": (2, True)}
"""Of a run of lines: the descriptor to which the task wrote them, and whether they are empty."""

_RUN: Final = r"([oOeE])([0-9]{1,9})"
_MARK: Final = (
    r"output of (?P<task>[0-9a-f]{32}), attempt (?P<attempt>[0-9]{1,9}): "
    r"(?P<stdout>[0-9]{1,18})\+(?P<stderr>[0-9]{1,18}) bytes, "
    r"(?P<runs>(?:[oOeE][0-9]{1,9})+), (?P<checksum>[0-9a-f]{8})"
)


class ResultStatus(str, Enum):
    """Ending of a task."""

    SUCCESS = "success"
    EXCEPTION = "exception"  # the function raised, or its result couldn't be serialized
    DIED = "died"  # the process ended: exit, signal, out of memory
    UNLOADABLE = "unloadable"  # function or arguments couldn't be loaded here
    SKIPPED = "skipped"  # an entry of a pack that was cancelled before it began, and never will


class ResultMeta(NamedTuple):
    """Measurements of the runner. Times in seconds (`started_at` since the epoch), memory in bytes."""

    task_id: str
    status: ResultStatus
    phase: str
    attempt: int
    started_at: float
    duration_s: float
    cpu_s: float
    peak_bytes: int
    python: str
    exit_code: int | None
    signal: int | None
    runner_version: str
    error: str = ""  # class of what was raised; from here on images of earlier releases tell nothing
    place: str = ""  # its innermost frame of the user's code, `file:line function`
    message: str = ""  # its text, which may hold values: only for those who may see them
    is_damaged: bool = False  # something else than the task wrote to the runner's socket, so its process was ended
    is_out_of_memory: bool = False  # the kernel ended a process of the container for its memory
    memory_limit: int = 0  # bytes that the container had; 0: unknown
    is_output_kept: bool = False  # its client asked for its output: the end of each stream is here, as base64
    stdout: str = ""
    stdout_bytes: int = 0  # all that was written, of which `stdout` is the end
    stderr: str = ""
    stderr_bytes: int = 0
    is_timed_out: bool = False  # the runner ended it: an entry of a pack has a time-out of its own


class OutputMark(NamedTuple):
    """A line of the runner's in the job's log, behind lines of a task whose client has its output streamed.

    A log doesn't tell which stream a line is of, and has no empty ones. `runs` does, of the lines since the mark
    before: a kind of `OUTPUT_KINDS` with their number each, in their order. `checksum` is `crc32` of them as the task
    wrote them, and the ends are how many bytes of its streams are told of until here.
    """

    task_id: str
    attempt: int
    stdout_end: int
    stderr_end: int
    runs: tuple[tuple[str, int], ...]
    checksum: int

    def encode(self) -> str:
        """The mark as text of the runner's log."""
        runs = "".join(f"{kind}{count}" for kind, count in self.runs)
        ends = f"{self.stdout_end}+{self.stderr_end} bytes"
        return f"output of {self.task_id}, attempt {self.attempt}: {ends}, {runs}, {self.checksum:08x}"

    @classmethod
    def parse(cls, text: str | None) -> OutputMark | None:
        """The mark that a text of the runner's log is; None: it is none."""
        found = re.fullmatch(_MARK, text or "")
        if found is None:
            return None
        runs = tuple((kind, int(count)) for kind, count in re.findall(_RUN, found["runs"]))
        numbers = (int(found[name]) for name in ("attempt", "stdout", "stderr"))
        return cls(found["task"], *numbers, runs, int(found["checksum"], 16))
