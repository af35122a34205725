"""Token buckets: bursts, waits in order, halving on a throttle, creeping back."""

from __future__ import annotations

import asyncio

import pytest

from engine.aws.budget import TokenBucket
from tests.support.engine.fake_clock import FakeClock


def bucket(clock: FakeClock, rate: float = 10.0, burst: float = 5.0) -> TokenBucket:
    return TokenBucket(rate, burst, clock, clock.sleep)


async def test_a_burst_passes_without_waiting() -> None:
    clock = FakeClock()
    tokens = bucket(clock)
    for _ in range(5):
        await tokens.pay()
    assert clock.slept == []


async def test_behind_the_burst_calls_are_spaced_by_the_rate() -> None:
    clock = FakeClock()
    tokens = bucket(clock)
    for _ in range(25):
        await tokens.pay()
    assert clock.now - 1000.0 == pytest.approx(2.0)


async def test_those_who_wait_together_wait_in_turn() -> None:
    clock = FakeClock()
    tokens = bucket(clock, burst=1.0)
    waits: list[float] = []

    async def remember(seconds: float) -> None:
        waits.append(seconds)

    tokens.sleep = remember
    await asyncio.gather(*(tokens.pay() for _ in range(4)))
    assert waits == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3)]


async def test_a_throttle_halves_the_rate_and_time_brings_it_back() -> None:
    clock = FakeClock()
    tokens = bucket(clock)
    tokens.halve()
    assert tokens.current_rate == 5.0
    clock.now += 10
    await tokens.pay()
    assert tokens.current_rate == pytest.approx(7.0)
    clock.now += 100
    await tokens.pay()
    assert tokens.current_rate == 10.0


async def test_throttles_of_calls_that_were_under_way_together_count_once() -> None:
    clock = FakeClock()
    tokens = bucket(clock)
    for _ in range(10):
        tokens.halve()
    assert tokens.current_rate == 5.0
    assert tokens.throttles == 10


async def test_the_rate_never_falls_to_nothing() -> None:
    clock = FakeClock()
    tokens = bucket(clock)
    for _ in range(50):
        clock.now += 1.0
        tokens.halve()
    assert tokens.current_rate >= 0.1
