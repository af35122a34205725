"""Source of an engine's state for a viewer, be it live, recorded or made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import Answer, Request


class LinkState(StrEnum):
    """Freshness of the replica."""

    CONNECTING = "CONNECTING"
    """Nothing was received yet."""
    LIVE = "LIVE"
    STALE = "STALE"
    """Three ticks are missing."""
    LOST = "LOST"
    """The connection ended, or the engine has been silent for long; it is tried again and again."""
    REFUSED = "REFUSED"
    """It can't work until something is changed: another version, a key that isn't allowed."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """The link as it is to be shown."""

    state: LinkState
    since: float
    """On the source's monotonic clock."""
    detail: str = ""
    """In words: `STALE 14 s`, `ENGINE LOST 10:48:31, retry in 4 s`; empty while live, `REPLAY` for a recording."""
    round_trip_s: float | None = None


class Source(Protocol):
    """An engine's state and answers. Nothing of it blocks, and nothing happens outside of its methods."""

    @property
    def replica(self) -> Replica:
        """The engine's state; it changes in `poll` only."""

    @property
    def link(self) -> LinkView:
        """State of the connection."""

    @property
    def may_control(self) -> bool:
        """Control requests are answered, not refused."""

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Take in what arrived, wait `timeout_s` at most for something; call what waits for answers.

        True when the replica or the link changed.
        """

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        """Send a request; `on_answer` gets its answer, or a `Refusal`, inside a later `poll`."""

    def close(self) -> None:
        """End the connection."""
