"""Memory of the container as its control group tells it, and large bytes that take little of it.

https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files, and of version 1
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html. Best effort: outside of a container there is no such file.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pickle
import stat
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

CGROUP: Final = "/sys/fs/cgroup"
CGROUP_VARIABLE: Final = "SCALER_BATCH_CGROUP"
"""Names another folder of the same form: the local AWS limits the memory of processes without a container."""
NEAR_LIMIT: Final = 0.95
"""Share of the limit at which a killed process most likely was killed for it, where the kernel doesn't tell."""
LARGE_BYTES: Final = 16 * 2**20
"""From here on it pays to read bytes through `LargeBytes`, and to write them to a `Spool`."""
_CHUNK: Final = 4 * 2**20
_SMALL: Final = 64 * 1024
_UNLIMITED: Final = 1 << 60
"""Version 1 tells "no limit" as a huge number."""


def oom_kills(cgroup: Path | None = None) -> int | None:
    """How many processes of this container the kernel has killed for memory; None where that isn't told."""
    for name in ("memory.events", "memory/memory.oom_control"):
        for line in file_text(f"{_folder(cgroup)}/{name}").splitlines():
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
        number = file_text(f"{_folder(cgroup)}/{name}").strip()
        if number.isdecimal():
            return int(number) if int(number) < _UNLIMITED else 0
    return 0


def _folder(cgroup: Path | None) -> str:
    return os.environ.get(CGROUP_VARIABLE, CGROUP) if cgroup is None else str(cgroup)


def file_text(file: str) -> str:
    """What a small file of the system says; empty where it can't be read. For each task: a `Path` costs more."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        return b"".join(iter(lambda: os.read(descriptor, _SMALL), b"")).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


class LargeBytes:
    """Bytes that are read once, here or in a forked process, and whose memory goes back to the system meanwhile.

    What is loaded from them is in memory once, and not beside them. They lie in shared pages without a file; where the
    system can't take those back early, they stay until the end: https://man7.org/linux/man-pages/man2/madvise.2.html
    """

    def __init__(self, length: int) -> None:
        self._pages = mmap.mmap(-1, length)

    def __len__(self) -> int:
        return len(self._pages)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes there; what lies behind the end is left out."""
        end = min(offset + len(data), len(self._pages))
        if offset < end:
            self._pages[offset:end] = data[: end - offset]

    def reader(self) -> io.BufferedReader:
        """A file whose bytes are gone once they are read."""
        return io.BufferedReader(_SpendingReader(self._pages), _CHUNK)

    def take(self) -> bytes:
        """All of them at once, in memory once."""
        return self.reader().read()


class _SpendingReader(io.RawIOBase):
    def __init__(self, pages: mmap.mmap) -> None:
        self._pages = pages
        self._at = 0
        self._given_back = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """A chunk at most, so that never more than that is in memory twice."""
        count = min(len(buffer), _CHUNK, len(self._pages) - self._at)
        buffer[:count] = self._pages[self._at : self._at + count]
        self._at += count
        spent = (self._at - self._given_back) // _CHUNK * _CHUNK
        if spent:
            _give_back(self._pages, self._given_back, spent)
            self._given_back += spent
        return count


def _give_back(pages: mmap.mmap, start: int, length: int) -> None:
    remove = getattr(mmap, "MADV_REMOVE", None)
    if remove is not None:
        with contextlib.suppress(OSError, ValueError):
            pages.madvise(remove, start, length)


class FileBytes:
    """Bytes in a file without a name, which another process may have written."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor. Raises `ValueError` when it is of something else than a file."""
        self.descriptor = descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("the descriptor is of no file")
        self._length = status.st_size

    def __len__(self) -> int:
        return self._length

    def read_at(self, offset: int, length: int) -> bytes:
        """So many bytes, fewer at the end only."""
        return os.pread(self.descriptor, min(length, self._length - offset), offset)

    def close(self) -> None:
        """Close the file, whose bytes go with it."""
        os.close(self.descriptor)


class Spool:
    """File to serialize into: beyond `LARGE_BYTES` on the disk, so that they aren't in memory beside their object.

    Where the disk takes none (it is full, or read-only) they stay in memory.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._file: int | None = None
        self._has_disk = True

    def __len__(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        """Take what comes next: anything with a buffer."""
        view = data.raw() if isinstance(data, pickle.PickleBuffer) else memoryview(data)
        if self._file is None and self._has_disk and self._size + view.nbytes > LARGE_BYTES:
            self._begin()
        if self._file is None or not self._store(view):
            self._parts.append(bytes(view))
        self._size += view.nbytes
        return view.nbytes

    def end(self) -> bytes | FileBytes:
        """All that was written; in a file that is closed with it."""
        if self._file is not None:
            return FileBytes(self._file)
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def close(self) -> None:
        """Let go of what was written; nobody wants it."""
        self._parts.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin(self) -> None:
        try:
            import tempfile  # few tasks need it

            with tempfile.TemporaryFile(buffering=0) as file:
                self._file = os.dup(file.fileno())
        except Exception:  # no room, or a module of the user's own has that name
            self._has_disk = False
            return
        parts, self._parts, self._size = self._parts, [], 0
        for part in parts:
            self.write(part)

    def _store(self, view: memoryview) -> bool:
        """False: the disk takes no more, and what it has is in memory again."""
        assert self._file is not None
        done = 0
        try:
            while done < view.nbytes:
                done += os.pwrite(self._file, view[done : done + _CHUNK], self._size + done)
        except OSError:
            with open(self._file, "rb") as file:
                file.seek(0)
                self._parts = [file.read(self._size)]
            self._file, self._has_disk = None, False
        return self._file is not None
