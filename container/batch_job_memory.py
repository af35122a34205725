"""Memory of the container as its control group tells it: the limit, and how often the kernel killed for it.

https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files, and of version 1
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html. Best effort: outside of a container there is no such file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
_UNLIMITED: Final = 1 << 60
"""Version 1 tells "no limit" as a huge number."""


def oom_kills(cgroup: Path = CGROUP) -> int:
    """How many processes of this container the kernel has killed for memory; 0 where that isn't told."""
    for name in ("memory.events", "memory/memory.oom_control"):
        for line in _text(cgroup / name).splitlines():
            word, _, number = line.partition(" ")
            if word == "oom_kill" and number.isdecimal():
                return int(number)
    return 0


def memory_limit(cgroup: Path = CGROUP) -> int:
    """Bytes that the container may use; 0 where that isn't told or not limited."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        number = _text(cgroup / name).strip()
        if number.isdecimal():
            return int(number) if int(number) < _UNLIMITED else 0
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""
