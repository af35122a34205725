"""Segments: results of a pack that come faster than one a second, written together.

Each announces in its name how far entries may be called before the next one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

from batch_job_wire.protocol import result_key
from batch_job_wire.result_frames import StoredFrame
from batch_job_wire.result_segments import (
    MAX_SEGMENT_BYTES,
    SEGMENT_RESULT_BYTES,
    SEGMENT_RESULTS,
    ResultSegment,
    segment_key,
)

FEWEST: Final = 5
"""Results that come less often in a second go by themselves: then a killed job may have called one task alone."""
GATHER_S: Final = 1.0
"""Results that come within this time are written together."""
LATEST_S: Final = 1.25
"""So late a result is written at the latest, while an entry runs that takes longer than those before it."""

Put = Callable[[str, "bytes | bytearray | StoredFrame"], None]


class SegmentWriter:
    """Writes the results of a pack: each at once, or those that come faster than one a second together.

    `end` is the place behind the pack's last entry; with `may_gather` False every result goes by itself. What `put`
    raises comes out of the next call. While an entry runs, `beat` writes in a thread; no process is forked beside it.
    """

    def __init__(
        self,
        put: Put,
        submission: str,
        secret: bytes,
        end: int,
        *,
        may_gather: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._put = put
        self._submission = submission
        self._secret = secret
        self._end = end
        self._may_gather = may_gather
        self._clock = clock
        self._waiting: list[tuple[bytes, bytes]] = []
        """Task id and frame of each result that is not written yet."""
        self._size = 0
        self._next = 0
        """The place behind the last result."""
        self._announced = range(0)
        """The places of entries that may be called while results wait."""
        self._written_at = clock()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def settle(self, place: int) -> None:
        """Write what waits, if the entry at `place` may not be called before. Raises what `put` raises."""
        self._join()
        if self._waiting and (place >= self._announced.stop or place != self._next):
            self._write(self._pace())

    def add(self, place: int, task_id: bytes, frame: bytes | bytearray | StoredFrame) -> None:
        """Take a result, which is written now or soon. Raises what `put` raises."""
        self._join()
        if isinstance(frame, StoredFrame) or len(frame) > SEGMENT_RESULT_BYTES:
            self._flush()
            self._send(result_key(self._submission, task_id), frame)
            self._next, self._written_at = place + 1, self._clock()
            return
        self._waiting.append((task_id, bytes(frame)))
        self._size += len(frame)
        self._next = place + 1
        if self._next >= self._announced.stop or self._is_full or self._clock() - self._written_at >= GATHER_S:
            self._write(self._pace())

    def announced(self, place: int) -> range | None:
        """The places that were announced together with this one; None: it was not, or it alone."""
        return self._announced if place in self._announced and len(self._announced) > 1 else None

    def finish(self) -> None:
        """Write what is left; announce that nothing is called any more. Raises what `put` raises."""
        self._join()
        self._flush()

    def beat(self, *, is_ending: bool) -> float | None:
        """Begin to write what waits if that is due, while an entry runs: with it only that one is announced.

        Gives the seconds until it is; None: nothing waits.
        """
        if self._thread is not None or not (self._waiting or self._announced.stop > self._next + 1):
            return None
        left = 0.0 if is_ending else self._written_at + LATEST_S - self._clock()
        if left > 0:
            return left
        self._thread = threading.Thread(target=self._write_beside, name="results")
        self._thread.start()
        return None

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= SEGMENT_RESULTS or self._size >= MAX_SEGMENT_BYTES // 2

    def _flush(self) -> None:
        if self._waiting or self._announced.stop > self._next + 1:
            self._write(0)

    def _write_beside(self) -> None:
        with contextlib.suppress(Exception):  # `_send` keeps it
            self._write(1)

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            raise self._failure

    def _pace(self) -> int:
        """How many entries to announce: as many as are called in a second, if they go on as the last ones did."""
        seconds = max(self._clock() - self._written_at, 0.001)
        pace = int(GATHER_S * len(self._waiting) / seconds)
        return min(pace, SEGMENT_RESULTS) if pace >= FEWEST else 1

    def _write(self, ahead: int) -> None:
        """Write what waits, and announce so many entries. One result with nothing to announce goes as ever."""
        until = min(self._next + ahead, self._end)
        is_single = len(self._waiting) == 1 and until <= self._next + 1 and self._announced.stop <= self._next + 1
        if is_single or not self._may_gather():
            for task_id, frame in self._waiting:
                self._send(result_key(self._submission, task_id), frame)
        else:
            segment = ResultSegment(self._next - len(self._waiting), len(self._waiting), max(until, self._next))
            segment = segment.sealed(self._submission, self._secret)
            self._send(segment_key(self._submission, segment), b"".join(frame for _, frame in self._waiting))
            self._announced = range(self._next, segment.until)
        self._waiting, self._size, self._written_at = [], 0, self._clock()

    def _send(self, key: str, data: bytes | bytearray | StoredFrame) -> None:
        try:
            self._put(key, data)
        except Exception as error:
            self._failure = error
            raise
