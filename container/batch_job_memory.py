"""Memory of the container as its control group tells it: the limit, and how often the kernel killed for it.

https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files, and of version 1
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html. Best effort: outside of a container there is no such file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
CGROUP_VARIABLE: Final = "SCALER_BATCH_CGROUP"
"""Names another folder of the same form: the local AWS limits the memory of processes without a container."""
NEAR_LIMIT: Final = 0.95
"""Share of the limit at which a killed process most likely was killed for it, where the kernel doesn't tell."""
_UNLIMITED: Final = 1 << 60
"""Version 1 tells "no limit" as a huge number."""


def oom_kills(cgroup: Path | None = None) -> int | None:
    """How many processes of this container the kernel has killed for memory; None where that isn't told."""
    for name in ("memory.events", "memory/memory.oom_control"):
        for line in _text(_folder(cgroup) / name).splitlines():
            word, _, number = line.partition(" ")
            if word == "oom_kill" and number.isdecimal():
                return int(number)
    return None


def was_out_of_memory(before: int | None, after: int | None, peak_bytes: int, limit: int) -> bool:
    """Whether a process that SIGKILL ended was killed for its memory, by `oom_kills` before and after it.

    The count tells for certain, either way. Without one: its peak came near the limit, both in bytes.
    """
    if before is not None and after is not None:
        return after > before
    return 0 < limit * NEAR_LIMIT <= peak_bytes


def memory_limit(cgroup: Path | None = None) -> int:
    """Bytes that the container may use; 0 where that isn't told or not limited."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        number = _text(_folder(cgroup) / name).strip()
        if number.isdecimal():
            return int(number) if int(number) < _UNLIMITED else 0
    return 0


def _folder(cgroup: Path | None) -> Path:
    return cgroup or Path(os.environ.get(CGROUP_VARIABLE, CGROUP))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""
