"""Whether a process in which a function was loaded may be forked from, task for task, as if each had loaded it.

That holds while loading left nothing but memory of its own. What is shared across a fork (open files and sockets, GPUs,
locks and memory between processes) and what a fork loses (threads) speaks against it. Linux tells it:
https://man7.org/linux/man-pages/man5/proc.5.html
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from enum import Enum
from typing import Final

from batch_job_memory import memory_limit
from batch_job_template.forking import fork_in_vain

MOST_MEMORY: Final = 0.1
"""Share of the container's memory that a template may have of its own: a task that writes to all of it copies it."""
_OWN: Final = "/proc/self"
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
        gc.collect()  # objects that end now may leave something, too
        left = {
            LoadRefusal.FILES: lambda: bool(_descriptors() - self._descriptors),
            LoadRefusal.SHARED_MEMORY: lambda: bool(_shared_mappings() - self._mappings),
            LoadRefusal.PROCESSES: _has_children,
            LoadRefusal.TEMPORARY_FILES: lambda: bool(self._folder and os.listdir(self._folder)),
            LoadRefusal.MEMORY: lambda: 0 < memory_limit() * MOST_MEMORY < _own_bytes(),
            LoadRefusal.THREADS: _keeps_threads,
        }
        return next((refusal for refusal, is_there in left.items() if is_there()), None)


def _descriptors() -> set[tuple[str, str]]:
    """Those that are open, and what they are of, without that of the listing: a number may have been used again."""
    found = set()
    for name in os.listdir(f"{_OWN}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add((name, os.readlink(f"{_OWN}/fd/{name}")))
    return found


def _shared_mappings() -> set[str]:
    """Of memory whose pages a fork would share, that of files and devices among it, whether they are open or not."""
    rows = _told("maps").splitlines()
    return {row for row in rows if row.split(maxsplit=2)[1].endswith("s")}


def _has_children() -> bool:
    """Asked for, not listed: a listing breaks off at one that ends meanwhile, as that of threads does."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _status(name: str) -> int:
    rows = (line.partition(":") for line in _told("status").splitlines())
    return next(int(text.split()[0]) for found, _, text in rows if found == name)


def _told(name: str) -> str:
    """What the system tells of this process. Raises `OSError`: where it tells nothing there is no template."""
    with open(f"{_OWN}/{name}", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _own_bytes() -> int:
    """Without what is a file's, which is there once for all processes."""
    return _status("RssAnon") * 1024


def _keeps_threads() -> bool:
    """Beyond a fork: libraries with threads for later end them before it, Python's own stay."""
    if threading.active_count() > 1:
        return True
    fork_in_vain()
    for _ in range(_LOOKS):  # one that was waited for is still counted for a moment
        # counted, not listed: a listing breaks off at a thread that ends meanwhile, and lacks those behind it
        if _status("Threads") == 1:
            return False
        time.sleep(_PAUSE_S)
    return True
