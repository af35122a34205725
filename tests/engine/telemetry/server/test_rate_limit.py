"""Rate limiter of requests, and the count of viewers."""

from __future__ import annotations

from engine.telemetry.server.rate_limit import (
    ANSWERS_PER_SECOND,
    CORE_SHARE,
    VIEWER_TIMEOUT_S,
    RateLimiter,
    Viewers,
)
from tests.support.engine.managed_tasks import Clock


class Sleeper:
    def __init__(self) -> None:
        self.clock = Clock(0.0)

    async def sleep(self, seconds: float) -> None:
        self.clock.now += seconds


async def test_requests_are_taken_at_a_bounded_rate() -> None:
    sleeper = Sleeper()
    rate_limiter = RateLimiter(sleeper.clock, sleeper.sleep)
    for _ in range(10 * ANSWERS_PER_SECOND + 1):
        await rate_limiter.acquire()
    assert round(sleeper.clock.now, 6) == 10.0


async def test_an_expensive_answer_is_waited_for_several_times_over() -> None:
    sleeper = Sleeper()
    rate_limiter = RateLimiter(sleeper.clock, sleeper.sleep)
    await rate_limiter.acquire()
    with rate_limiter.charge():
        sleeper.clock.now += 1.0
    await rate_limiter.acquire()
    assert sleeper.clock.now >= 1.0 / CORE_SHARE


async def test_after_a_pause_the_next_request_is_taken_at_once() -> None:
    sleeper = Sleeper()
    rate_limiter = RateLimiter(sleeper.clock, sleeper.sleep)
    await rate_limiter.acquire()
    sleeper.clock.now += 100
    await rate_limiter.acquire()
    assert sleeper.clock.now == 100


def test_viewers_are_those_of_the_last_minute() -> None:
    clock = Clock(0.0)
    viewers = Viewers(clock)
    viewers.note(b"one")
    clock.now += VIEWER_TIMEOUT_S - 1
    viewers.note(b"two")
    viewers.note(b"two")
    both = viewers.count()
    clock.now += 2
    assert (both, viewers.count()) == (2, 1)
