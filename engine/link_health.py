"""Health of a connection for people: up or down, since when, when it was heard of last, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from engine.model import Link, LinkId, LinkTrouble

ANSWERED_WITHIN_S: Final = 10.0


class LinkHealth:
    """State of one connection, kept by its owner. `clock` gives seconds since the epoch.

    An open connection on which nothing is heard for `quiet_after_s` is degraded, and so is one on which an answer is
    awaited for `ANSWERED_WITHIN_S` and nothing is heard.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.time,
        *,
        id: LinkId | None = None,
        quiet_after_s: float = float("inf"),
    ) -> None:
        self._clock = clock
        self._quiet_after_s = quiet_after_s
        self._heard_at: float | None = None
        self._asked: dict[object, float] = {}
        """What has no answer yet, the oldest first, and when it was asked."""
        self._trouble: tuple[str, str] = ("", "")
        self._link = Link(name, up=False, since=clock(), detail="not connected yet", id=id or "")
        self.is_new = True
        """It was neither up nor lost yet."""

    @property
    def view(self) -> Link:
        """The link as it is now."""
        link = self._link
        silence = self._silence() if link.up else ""
        trouble, why = self._trouble if link.up and not silence else ("", "")
        detail = silence or why or link.detail
        is_degraded = bool(silence or trouble)
        return Link(link.name, link.up, link.since, detail, None, link.id, is_degraded, self._heard_at, trouble)

    def mark_up(self, address: str) -> None:
        """The connection to `address` works."""
        self.note_heard()
        self._update(True, address)

    def mark_down(self, why: str) -> None:
        """The connection is down, for the reason `why`."""
        self._update(False, why)

    def note_trouble(self, trouble: LinkTrouble | None, why: str = "") -> None:
        """The connection works, and what it is for doesn't, for the reason `why`; None: it does again."""
        self._trouble = (trouble or "", why)

    def note_heard(self) -> None:
        """The other side was heard of."""
        self._heard_at = self._clock()

    def note_asked(self, question: object) -> None:
        """The other side owes an answer to it."""
        self._asked[question] = self._clock()

    def drop_asked(self, question: object) -> None:
        """Nobody waits for its answer any more, or it came."""
        self._asked.pop(question, None)

    def _silence(self) -> str:
        """What is missing to be heard, in words; empty: nothing is."""
        now, heard_at = self._clock(), self._heard_at
        oldest = next(iter(self._asked.values()), now)
        waited_s = now - max(oldest, heard_at or 0.0)
        if waited_s > ANSWERED_WITHIN_S:
            return f"no answer for {waited_s:.0f} s"
        quiet_s = 0.0 if heard_at is None else now - heard_at
        return f"nothing heard for {quiet_s:.0f} s" if quiet_s > self._quiet_after_s else ""

    def _update(self, up: bool, detail: str) -> None:
        since = self._link.since if up == self._link.up else self._clock()
        self._link = Link(self._link.name, up, since, detail, id=self._link.id)
        self.is_new = False
