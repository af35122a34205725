"""Whether a process in which a function was loaded may be forked from, task for task, as if each had loaded it.

That holds while loading left nothing but memory of its own. What is shared across a fork (open files and sockets, GPUs,
locks and memory between processes) and what a fork loses (threads) speaks against it. Linux tells it:
https://man7.org/linux/man-pages/man5/proc.5.html
"""

from __future__ import annotations

import os
import threading
import time
from enum import Enum
from pathlib import Path
from typing import Final

from batch_job_memory import memory_limit
from batch_job_template.forking import fork_in_vain

MOST_MEMORY: Final = 0.1
"""Share of the container's memory that a template may have of its own: a task that writes to all of it copies it."""
_OWN: Final = Path("/proc/self")
_LOOKS: Final = 20
_PAUSE_S: Final = 0.005


class LoadRefusal(str, Enum):
    """Why tasks are not forked from a template."""

    RAISED = "raised"
    THREADS = "threads"
    FILES = "files"
    PROCESSES = "processes"
    SHARED_MEMORY = "shared memory"
    TEMPORARY_FILES = "temporary files"
    MEMORY = "memory"


class Inspection:
    """What this process has before a function is loaded, to tell what that left behind."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptors = _descriptors()
        self._mappings = _shared_mappings()

    def refusal(self) -> LoadRefusal | None:
        """What speaks against forking from here; None: nothing does."""
        left = {
            LoadRefusal.FILES: lambda: bool(_descriptors() - self._descriptors),
            LoadRefusal.SHARED_MEMORY: lambda: bool(_shared_mappings() - self._mappings),
            LoadRefusal.PROCESSES: lambda: bool((_OWN / f"task/{os.getpid()}/children").read_text().strip()),
            LoadRefusal.TEMPORARY_FILES: lambda: bool(self._folder and os.listdir(self._folder)),
            LoadRefusal.MEMORY: lambda: 0 < memory_limit() * MOST_MEMORY < _own_bytes(),
            LoadRefusal.THREADS: _keeps_threads,
        }
        return next((refusal for refusal, is_there in left.items() if is_there()), None)


def _descriptors() -> set[int]:
    """Those that are open, without that of the listing."""
    return {int(name) for name in os.listdir(_OWN / "fd") if (_OWN / "fd" / name).is_symlink()}


def _shared_mappings() -> set[str]:
    """Address ranges whose pages a fork would share."""
    rows = (line.split(maxsplit=2) for line in (_OWN / "maps").read_text().splitlines())
    return {place for place, rights, *_ in rows if rights.endswith("s")}


def _own_bytes() -> int:
    """Without what is a file's, which is there once for all processes."""
    rows = dict(line.split(":") for line in (_OWN / "status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(rows["RssAnon"].split()[0]) * 1024


def _keeps_threads() -> bool:
    """Beyond a fork: libraries with threads for later end them before it, Python's own stay."""
    if threading.active_count() > 1:
        return True
    fork_in_vain()
    for _ in range(_LOOKS):  # one that was waited for is still listed for a moment
        if len(os.listdir(_OWN / "task")) == 1:
            return False
        time.sleep(_PAUSE_S)
    return True
