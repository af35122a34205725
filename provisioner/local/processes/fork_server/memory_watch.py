"""Memory limits of running jobs: kills like the kernel would in a container with a limit, and tells it as that does.

Each job has a folder with the two files of its control group that a runner reads:
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from . import process_tree

CADENCE_S: Final = 0.05
MAX_SHARE: Final = 0.04  # of one core: with many jobs we measure less often


class JobMemory:
    """Memory of one job: the limit in bytes, and its folder, in which it is told how often a process was killed."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.folder = Path(tempfile.mkdtemp(prefix="scaler-batch-memory-"))
        self._kills = 0
        (self.folder / "memory.max").write_text(f"{limit_bytes}\n")
        self._tell()

    def note_kill(self) -> None:
        """A process of the job is killed now."""
        self._kills += 1
        self._tell()

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tell(self) -> None:
        (self.folder / "memory.events").write_text(f"oom_kill {self._kills}\n")


class MemoryWatch:
    """Jobs by the id of their first process. Memory that a job shares with the fork server counts once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limits: dict[int, JobMemory] = {}
        self._killed: set[int] = set()
        self._shared = 0
        self._next = 0.0

    def add(self, pid: int, memory: JobMemory) -> None:
        """Limit the job whose first process is `pid`."""
        if not self._limits:
            self._shared = process_tree.private_bytes(os.getpid())
        self._limits[pid] = memory

    def remove(self, pid: int) -> bool:
        """Forget an ended job. Returns whether its first process was itself killed for its memory."""
        memory = self._limits.pop(pid, None)
        if memory is not None:
            memory.remove()
        killed = pid in self._killed
        self._killed.discard(pid)
        return killed

    def remove_all(self) -> None:
        """Forget every job."""
        for pid in list(self._limits):
            self.remove(pid)

    def wait(self) -> float | None:
        """Return the seconds until memory is measured next; None without a job."""
        return max(0.0, self._next - self._now()) if self._limits else None

    def enforce_limits(self) -> None:
        """Measure every job if it is time to, and kill the largest process of each that is above its limit."""
        began = self._now()
        if not self._limits or began < self._next:
            return
        for pid, memory in self._limits.items():
            self._check(pid, memory)
        ended = self._now()
        self._next = ended + max(CADENCE_S, (ended - began) / MAX_SHARE)

    def _check(self, pid: int, memory: JobMemory) -> None:
        used = {one: max(0, process_tree.private_bytes(one) - self._shared) for one in process_tree.tree(pid)}
        if self._shared + sum(used.values()) <= memory.limit_bytes:
            return
        largest = max(used, key=lambda one: used[one])
        if largest == pid:
            self._killed.add(pid)
        memory.note_kill()  # first: who waits for that process reads it then
        process_tree.signal_quietly(largest, signal.SIGKILL)
