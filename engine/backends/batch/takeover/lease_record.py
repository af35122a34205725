"""Record of a lease's holder: names a living manager to a person, and shows that a dead one of this host is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

import msgspec

from container.batch_job_quoting import quote_foreign

TTL_S: Final = 10.0
"""Seconds after its last write in which a lease is its holder's."""
IDLE_TTL_S: Final = 60.0
"""The same of a holder that had nothing to do when it wrote."""
HOST_LENGTH: Final = 253
"""Characters of a host's name, at most; what else stands there is cut."""


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The lease object's JSON. `beat` makes each write different, so that its ETag proves whose it is."""

    token: str
    host: str
    pid: int
    boot_id: str
    process: str
    """When the process started and in which pid namespace: a number that was given again is another process."""
    beat: int = 0
    ttl_s: float = TTL_S
    """What the holder counts on: nobody else may take the lease earlier."""
    signing_key: bytes = b""
    """What results are signed by: a successor inherits it. Jobs can't read the lease; empty in release 0.1."""
    is_released: bool = False
    """Its holder gave it back and left jobs, for whose results the key stays."""

    @property
    def lasts_s(self) -> float:
        """`ttl_s`, within what a manager writes."""
        return min(max(self.ttl_s, TTL_S), IDLE_TTL_S)

    def describe(self) -> str:
        """Name the holder to a person."""
        return f"process {self.pid} on host {quote_foreign(self.host, HOST_LENGTH)}"


def this_process(token: str) -> LeaseRecord:
    """Make the record of this very process."""
    pid = os.getpid()
    return LeaseRecord(token=token, host=socket.gethostname(), pid=pid, boot_id=_boot_id(), process=_process_mark(pid))


def is_gone(holder: LeaseRecord) -> bool:
    """Say whether the holder has ended: true only when it ran on this very host and its process certainly ended."""
    here = this_process("")
    if (holder.host, holder.boot_id) != (here.host, here.boot_id) or not here.process:
        return False
    if _namespace(holder.process) != _namespace(here.process):
        return False
    return _process_mark(holder.pid) != holder.process


def _boot_id() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id")).strip()


def _process_mark(pid: int) -> str:
    """Start time in clock ticks since boot, and pid namespace; empty where there is no /proc, or no such process."""
    stat = _read(Path(f"/proc/{pid}/stat"))
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] == "Z":
        return ""
    return f"{fields[19]}@{_own_namespace()}"


def _own_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _namespace(mark: str) -> str:
    return mark.partition("@")[2]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
