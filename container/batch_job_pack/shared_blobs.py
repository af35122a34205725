"""Blobs that entries of a pack share, kept within a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from batch_job_wire.payload_frames import BlobRef

_KEPT_BYTES: Final = 64 * 1024 * 1024  # of shared blobs that the last entry didn't use


class SharedBlobs:
    """Blobs that entries of a pack share, each read once: those of the last entry, and some of the others'."""

    def __init__(self, read: Callable[[BlobRef], bytes]) -> None:
        self._read = read
        self._blobs: dict[str | int | None, bytes] = {}

    def get(self, ref: BlobRef) -> bytes:
        """The bytes of the blob. Raises what reading it raises."""
        key = ref.digest or ref.offset
        data = self._blobs.pop(key, None)
        self._blobs[key] = self._read(ref) if data is None else data  # at the end: the first one is the oldest
        return self._blobs[key]

    def forget(self, used: Iterable[BlobRef]) -> None:
        """Let go what the entry with the blobs `used` doesn't need, the oldest first, beyond what may stay."""
        needed = {ref.digest or ref.offset for ref in used}
        spare = {key: len(data) for key, data in self._blobs.items() if key not in needed}
        size = sum(spare.values())
        for key, length in spare.items():
            if size <= _KEPT_BYTES:
                return
            del self._blobs[key]
            size -= length
