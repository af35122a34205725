"""Cache of answers that are costly to make: one at a time, once for all viewers that ask for the same."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from engine.telemetry.schema.messages import TICK_S

Answer = TypeVar("Answer")

KEPT_ANSWERS: Final = 8
"""Different questions at once; each answer holds rows that exist anyway."""
COST_FACTOR: Final = 10
"""An answer is reused for so many times what making it took, and for one tick at least: sorting a hundred thousand
rows again and again would take the engine's processor."""


@dataclass(slots=True)
class _KeptAnswer(Generic[Answer]):
    answer: Answer
    made_at: float
    until: float


class CostlyAnswers(Generic[Answer]):
    """Answers by question. `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: OrderedDict[Hashable, _KeptAnswer[Answer]] = OrderedDict()
        self._turn = asyncio.Lock()

    async def get(
        self,
        question: Hashable,
        make: Callable[[], Awaitable[Answer]],
        fits: Callable[[Answer, float], bool] = lambda answer, age_s: True,
    ) -> Answer:
        """The kept answer while it is fresh and `fits` (itself, its age in seconds); else one that `make` makes."""
        async with self._turn:
            kept, now = self._kept.get(question), self._monotonic()
            if kept is None or now >= kept.until or not fits(kept.answer, now - kept.made_at):
                kept = self._kept[question] = await self._made(make)
                self._kept.move_to_end(question)
                if len(self._kept) > KEPT_ANSWERS:
                    self._kept.popitem(last=False)
            return kept.answer

    async def _made(self, make: Callable[[], Awaitable[Answer]]) -> _KeptAnswer[Answer]:
        started = self._monotonic()
        answer = await make()
        ended = self._monotonic()
        return _KeptAnswer(answer, started, ended + max(TICK_S, COST_FACTOR * (ended - started)))
