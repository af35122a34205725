"""Budget of bytes that arguments may take in memory at once, a shared blob counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from container.batch_job_frames import Blob

BUDGET_BYTES: Final = 256 * 1024 * 1024
"""Payload that waits for its submission. Past it no further task is loaded until something was submitted."""


class ByteBudget:
    """Bytes of the distinct blobs that are held on behalf of tasks."""

    def __init__(self, limit: int = BUDGET_BYTES) -> None:
        self._limit = limit
        self._used = 0
        self._holders: Counter[str] = Counter()

    @property
    def used(self) -> int:
        """Bytes held."""
        return self._used

    @property
    def has_room(self) -> bool:
        """Another task may be loaded."""
        return self._used < self._limit

    def hold(self, blobs: Iterable[Blob]) -> None:
        """Count these blobs once more."""
        for blob in blobs:
            if self._holders[blob.digest] == 0:
                self._used += len(blob.data)
            self._holders[blob.digest] += 1

    def release(self, blobs: Iterable[Blob]) -> None:
        """Count these blobs once less."""
        for blob in blobs:
            self._holders[blob.digest] -= 1
            if self._holders[blob.digest] == 0:
                del self._holders[blob.digest]
                self._used -= len(blob.data)
