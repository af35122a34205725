"""Trends out of a recording: read frame by frame, and cached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from engine.telemetry.recording import Recording
from engine.telemetry.schema.messages import TREND_WINDOWS, Answer, GetTrends, JobState, Refusal, Trends
from engine.telemetry.schema.wire import UNDECODABLE


class _Manager(msgspec.Struct):
    manager: str
    counts: dict[JobState, int]


class _Counts(msgspec.Struct):
    managers: tuple[_Manager, ...]


class _Counted(msgspec.Struct):
    """The part of a frame that matters here: the rest is not even decoded."""

    snapshot: _Counts


class RecordedTrends:
    """Trends at any moment of one recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._decoder = msgspec.msgpack.Decoder(_Counted)
        self._cache: dict[int, tuple[_Manager, ...]] = {}

    def read_window(self, at: float, request: GetTrends) -> Answer:
        """Read the window that ends at `at`; points before the recording began are 0, as in a new engine."""
        if request.window not in TREND_WINDOWS:
            return Refusal(f"{request.window} is no window of trends: one of {', '.join(TREND_WINDOWS)}")
        step, points = TREND_WINDOWS[request.window]
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
        if position not in self._cache:
            self._cache.update(self._read_up_to(position))
        return self._cache.get(position, ())

    def _read_up_to(self, position: int) -> Iterator[tuple[int, tuple[_Manager, ...]]]:
        key = self._recording.key_before(position)
        messages = zip(range(key, position + 1), self._recording.messages_from(key), strict=False)
        for index, data in messages:
            try:
                yield index, self._decoder.decode(data).snapshot.managers
            except UNDECODABLE:  # damaged here; what is behind it can't be trusted either
                return
