"""Events of an engine: what happened, in order. Import from `engine.telemetry.schema.messages`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

EVENTS_KEPT: Final = 1_000
"""Newest events that an engine keeps."""


class EventKind(StrEnum):
    """Kind of an event."""

    LINK_DOWN = "link down"
    LINK_UP = "link up"
    PAUSED = "paused"
    """Nothing can be submitted."""
    RESUMED = "resumed"
    THROTTLED = "throttled"
    UNTHROTTLED = "throttling over"
    CAPACITY = "jobs wait"
    """AWS Batch names a reason for which jobs can't start."""
    CAPACITY_OVER = "wait over"
    FAILURE = "new failure"
    """The first of its function and cause."""
    CLIENT = "new client"
    TAKEOVER = "takeover"
    """Tasks of a predecessor were adopted."""
    DRAINING = "draining"
    CANCELLED = "cancelled"
    """An operator ended jobs."""
    CHANGED = "changed"
    """An operator changed a setting."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event. `seq` goes up by one within an engine's life; `kind` is an `EventKind`."""

    seq: int
    at: float
    """Seconds since the epoch, on the engine's clock."""
    kind: str
    text: str
    """One line for people."""
    manager: str = ""
    """Empty: of the engine as a whole."""
    task_id: str = ""
    """A job that it is about, if any."""


class GetEvents(msgspec.Struct, frozen=True, tag=True):
    """Get the events after `after`. Answered with `Events`."""

    after: int = -1


class Events(msgspec.Struct, frozen=True, tag=True):
    """Events in order, the oldest first. `engine` is another one after a restart: its counting began anew."""

    engine: str
    events: tuple[Event, ...]
