"""Ownership label of containers: the id of the local AWS that made them, and when that process began.

Without the second a process id that was given to another process would keep a dead process's containers alive.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

START_TIME: Final = 19  # of what follows the name in /proc/<pid>/stat; the name may hold spaces


def this_process() -> str:
    """The label's value for what this process makes."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> str:
    """`<pid>-<start>`; the start is in clock ticks since boot, and empty when there is no such process."""
    return f"{pid}-{start_time(pid)}"


def is_alive(owner: str) -> bool:
    """Whether the process that a label's value stands for still runs."""
    pid, _, start = owner.partition("-")
    return pid.isdecimal() and bool(start) and start_time(int(pid)) == start


def start_time(pid: int) -> str:
    """When the process began, in clock ticks since boot as text; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[START_TIME]
