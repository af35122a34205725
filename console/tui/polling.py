"""Questions asked again and again while somebody looks: one under way at a time, never faster than their period."""

from __future__ import annotations

from collections.abc import Callable

from engine.telemetry.client.source import Source
from engine.telemetry.schema.messages import Answer, Request


class PolledRequest:
    """Asks what `request` says (None: nothing at present), every `period_s`; `on_answer` gets both.

    An answer is only handed on when the question is still the same.
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
        """Ask when it is time to; call it often."""
        if self._under_way is None and now - self._sent_at >= self._period:
            self._ask(now)

    def reset(self) -> None:
        """What was asked is no longer wanted: ask at the next look, and leave the answer under way aside."""
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
