"""Call budget of an API: a token bucket that gives way when AWS throttles.

A rate halves when AWS throttles and creeps back while it doesn't. Every API has a bucket of its own, so cancels
(TerminateJob) never queue behind submits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

SLOWEST_SHARE: Final = 0.01
"""A rate never falls below this share of its nominal one: recovery must be noticed."""
RECOVERY_SHARE_PER_S: Final = 0.02
"""From half back to full in 25 seconds."""
HALVING_PAUSE_S: Final = 1.0
"""Calls that were under way together are throttled together: they count as one throttle."""


@dataclass(slots=True)
class TokenBucket:
    """Token bucket: at most `burst` calls at once and `rate` a second after that; waits are handed out in order."""

    rate: float
    burst: float
    clock: Clock
    sleep: Sleep
    throttles: int = 0
    _current: float = field(init=False)
    _tokens: float = field(init=False)
    _refilled_at: float = field(init=False)
    _halved_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self._current = self.rate
        self._tokens = self.burst
        self._refilled_at = self.clock()

    @property
    def current_rate(self) -> float:
        """Calls a second that are allowed at present."""
        self._refill()
        return self._current

    @property
    def backoff_s(self) -> float:
        """Seconds that the next call would wait because AWS throttled earlier ones; 0.0 at the full rate."""
        self._refill()
        return max(0.0, 1.0 - self._tokens) / self._current if self._current < self.rate else 0.0

    @property
    def wait_s(self) -> float:
        """Seconds that the next call would wait, for whatever reason."""
        self._refill()
        return max(0.0, 1.0 - self._tokens) / self._current

    def refund(self, tokens: float = 1.0) -> None:
        """Give back what was paid for a call that was not made."""
        self._tokens = min(self.burst, self._tokens + tokens)

    async def pay(self, tokens: float = 1.0) -> None:
        """Take `tokens` and wait until they are earned; a debt makes the next caller wait behind this one."""
        self._refill()
        self._tokens -= tokens
        if self._tokens < 0:
            await self.sleep(-self._tokens / self._current)

    def halve(self) -> None:
        """Halve the rate and forget what was saved up: AWS said "too many"."""
        self.throttles += 1
        now = self.clock()
        if now - self._halved_at < HALVING_PAUSE_S:
            return
        self._refill()
        self._halved_at = now
        self._current = max(self._current / 2, self.rate * SLOWEST_SHARE)
        self._tokens = min(self._tokens, 0.0)

    def _refill(self) -> None:
        now = self.clock()
        elapsed = now - self._refilled_at
        self._refilled_at = now
        self._tokens = min(self.burst, self._tokens + elapsed * self._current)
        self._current = min(self.rate, self._current + elapsed * self.rate * RECOVERY_SHARE_PER_S)
