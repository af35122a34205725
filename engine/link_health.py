"""Health of a connection for people: up or down, since when, when it was heard of last, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.model import Link, LinkId, LinkTrouble


class LinkHealth:
    """State of one connection, kept by its owner. `clock` gives seconds since the epoch.

    An open connection on which nothing is heard for `quiet_after_s` is degraded.
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
        self._trouble: tuple[str, str] = ("", "")
        self._link = Link(name, up=False, since=clock(), detail="not connected yet", id=id or "")
        self.is_new = True
        """It was neither up nor lost yet."""

    @property
    def view(self) -> Link:
        """The link as it is now."""
        link = self._link
        quiet_s = 0.0 if self._heard_at is None else self._clock() - self._heard_at
        is_quiet = link.up and quiet_s > self._quiet_after_s
        trouble, why = self._trouble if link.up and not is_quiet else ("", "")
        detail = f"nothing heard for {quiet_s:.0f} s" if is_quiet else why or link.detail
        return Link(
            link.name, link.up, link.since, detail, None, link.id, is_quiet or bool(trouble), self._heard_at, trouble
        )

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

    def _update(self, up: bool, detail: str) -> None:
        since = self._link.since if up == self._link.up else self._clock()
        self._link = Link(self._link.name, up, since, detail, id=self._link.id)
        self.is_new = False
