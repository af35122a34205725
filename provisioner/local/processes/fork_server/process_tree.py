"""Processes as the operating system knows them: ties to a parent, trees and their memory.

Linux tells all of it; elsewhere a job has no memory limit and the tie to a parent is the socket's end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
OPEN: Final = "01"  # TCP_ESTABLISHED
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
LINUX: Final = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Be signalled when the thread that made this process ends: call it in children of single-threaded ones."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of grandchildren that lose theirs, so that no process of a job can get away."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """List a process's direct children, whichever of its threads made them; none for a process that is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def tree(pid: int) -> Iterator[int]:
    """Yield the process and everything below it."""
    yield pid
    for child in children(pid):
        yield from tree(child)


def private_bytes(pid: int) -> int:
    """Return the resident memory that is not backed by a file, in bytes; 0 for a process that is gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = file.read().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * PAGE


def connection_from(port: int) -> str:
    """Return what a descriptor of the TCP connection from this port of this machine links to; empty: there is none."""
    try:
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file]
    except OSError:
        return ""
    return next((f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == OPEN), "")


def holds(pid: int, link: str) -> bool:
    """Return whether the process, or one below it, has a descriptor that links there."""
    return any(link in links(one) for one in tree(pid))


def links(pid: int) -> Iterator[str]:
    """Yield what the process's descriptors link to; nothing for a process that is gone."""
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{name}")


def signal_quietly(pid: int, signum: int, group: bool = False) -> None:
    """Send a signal to a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, signum)


def kill_session(leader: int) -> None:
    """End every process of a job: what is below its first one, and what lost its parent and came to us.

    A job is a session: a packed task leads a process group of its own in it.
    """
    lost = [one for one in children(os.getpid()) if one == leader or session_of(one) == leader]
    for pid in [one for root in lost for one in tree(root)]:
        signal_quietly(pid, signal.SIGKILL)
    signal_quietly(leader, signal.SIGKILL, group=True)


def session_of(pid: int) -> int:
    """Return the session of a process; 0 for one that is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0
