"""Polled requests: repeated with a period, one under way at a time."""

from __future__ import annotations

from collections.abc import Callable

from engine.telemetry.client.source import Source
from engine.telemetry.schema.messages import Answer, Request


class PolledRequest:
    """Request that is sent every `period_s` seconds while its screen is open.

    `request` makes it (None: nothing to ask at present); `on_answer` gets the answer, unless `reset` was called since
    it was sent.
    """

    def __init__(
        self,
        source: Source,
        request: Callable[[], Request | None],
        on_answer: Callable[[Answer], None],
        period_s: float,
    ) -> None:
        self._source, self._request, self._on_answer, self._period = source, request, on_answer, period_s
        self._sent_at = float("-inf")
        self._under_way: object | None = None

    def poll(self, now: float) -> None:
        """Send the request when its period is over. `now`: seconds of the state's clock; call it often."""
        if self._under_way is None and now - self._sent_at >= self._period:
            self._ask(now)

    def reset(self) -> None:
        """Discard the answer under way and send the request at the next `poll`: another one is wanted."""
        self._sent_at, self._under_way = float("-inf"), None

    def _ask(self, now: float) -> None:
        request = self._request()
        if request is None:
            return
        ticket = self._under_way = object()
        self._sent_at = now

        def accept(answer: Answer) -> None:
            if self._under_way is ticket:
                self._under_way = None
                self._on_answer(answer)

        self._source.ask(request, accept)
