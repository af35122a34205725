"""Introspection of a worker manager whose backend is not open yet: it says that the manager is starting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.aws.limits import INLINE_TEXT_LIMIT
from engine.diagnosis.model import Diagnosed
from engine.model import CallStats, Description, Link, LogChunk, LogStatus, Price, Quota

STARTING: Final = "the worker manager is starting"


class UnopenedIntrospection:
    """Implements `engine.backends.protocol.Introspection` without anything to tell."""

    dedup_saved_bytes = 0
    inline_limit = INLINE_TEXT_LIMIT
    states_at = None
    idle_vcpus = None
    states_stale = False
    price = Price(note=STARTING)

    def calls(self) -> tuple[CallStats, ...]:
        """None was made."""
        return ()

    def quotas(self) -> tuple[Quota, ...]:
        """None is known."""
        return ()

    def idle_hosts(self, price: Price) -> None:
        """None is known."""

    def links(self) -> tuple[Link, ...]:
        """None is open yet."""
        return ()

    def note_viewer(self) -> None:
        """Nothing is read for viewers."""

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        """A description that says why it is empty."""
        return Description(note=STARTING)

    def diagnose(self, job_id: str) -> Diagnosed:
        """An answer that says why it is empty."""
        return Diagnosed(note=STARTING)

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        """None is known."""
        return {}

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        """A chunk that says why it is empty."""
        return LogChunk((), token, LogStatus.WAITING, STARTING)

    async def read_older_log(self, stream: str, before: float, token: str | None, limit: int) -> LogChunk:
        """A chunk that says why it is empty."""
        return LogChunk((), None, LogStatus.WAITING, STARTING, older=token)
