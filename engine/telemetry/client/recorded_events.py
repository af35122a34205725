"""Events out of a recording: the ring of its last key frame, and those of the ticks behind it."""

from __future__ import annotations

import msgspec

from engine.telemetry.recording import Recording
from engine.telemetry.schema.events import Event
from engine.telemetry.schema.wire import UNDECODABLE


class _Told(msgspec.Struct):
    """The part of a frame that matters here: the rest is not even decoded."""

    events: tuple[Event, ...] = ()


class RecordedEvents:
    """All events of a recording, read when they are first asked for."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._events: tuple[Event, ...] | None = None

    def after(self, seq: int) -> tuple[Event, ...]:
        """Events behind event `seq`, whatever moment is shown."""
        if self._events is None:
            self._events = tuple(self._read())
        return tuple(event for event in self._events if event.seq > seq)

    def _read(self) -> list[Event]:
        found: dict[int, Event] = {}
        if not self._recording.keys:
            return []
        decoder = msgspec.msgpack.Decoder(_Told)
        for data in self._recording.messages_from(self._recording.keys[-1]):
            try:
                told = decoder.decode(data)
            except UNDECODABLE:  # damaged here; what is behind it can't be trusted either
                break
            found.update((event.seq, event) for event in told.events)
        return [found[seq] for seq in sorted(found)]
