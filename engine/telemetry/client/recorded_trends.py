"""Counts over time out of a recording: read frame by frame, and remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from engine.telemetry.recording import Recording
from engine.telemetry.schema.messages import Answer, GetTrends, JobState, Refusal, Trends

STEPS: Final = {"5m": (5.0, 60), "1h": (60.0, 60), "24h": (600.0, 144)}
"""Seconds between two points, and how many."""


class _Manager(msgspec.Struct):
    manager: str
    counts: dict[JobState, int]


class _Counts(msgspec.Struct):
    managers: tuple[_Manager, ...]


class _Counted(msgspec.Struct):
    """What of a frame matters here: the rest isn't even decoded."""

    snapshot: _Counts


class RecordedTrends:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._decoder = msgspec.msgpack.Decoder(_Counted)
        self._known: dict[int, tuple[_Manager, ...]] = {}

    def read_window(self, at: float, request: GetTrends) -> Answer:
        """The window that ends at `at`; points before the recording began are 0, as in an engine that just began."""
        if request.window not in STEPS:
            return Refusal(f"{request.window} is no window of trends: one of {', '.join(STEPS)}")
        step, points = STEPS[request.window]
        start = at - step * (points - 1)
        columns = [self._counts(start + step * point, step, request.manager) for point in range(points)]
        states = [state for state in JobState if any(state in column for column in columns)]
        counts = {state: tuple(column[state] for column in columns) for state in states}
        return Trends(request.window, start, step, counts)

    def _counts(self, at: float, step: float, manager: str) -> Counter[JobState]:
        if not self._recording.keys or at < self._recording.start:
            return Counter()
        position = self._recording.position_at(at)
        if step > 5:  # a key frame a minute is near enough, and spares reading the ticks between
            position = self._recording.key_before(position)
        total: Counter[JobState] = Counter()
        for each in self._managers(position):
            if not manager or each.manager == manager:
                total.update(each.counts)
        return total

    def _managers(self, position: int) -> tuple[_Manager, ...]:
        if position not in self._known:
            self._known.update(self._read_up_to(position))
        return self._known.get(position, ())

    def _read_up_to(self, position: int) -> Iterator[tuple[int, tuple[_Manager, ...]]]:
        key = self._recording.key_before(position)
        messages = zip(range(key, position + 1), self._recording.messages_from(key), strict=False)
        for index, data in messages:
            yield index, self._decoder.decode(data).snapshot.managers
