"""What the console's tick costs: 10,000 jobs of which 1,000 a second move, at two ticks a second.

    pytest -m benchmark tests/benchmarks/test_console_feed.py -s

Figures are printed and not asserted. The made-up engine's own work is left out of them.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import time

import pytest

from tests.support.console.demo.source import DemoSource
from tests.support.console.widget_app import Board, Clock

pytestmark = pytest.mark.benchmark

TICKS = 60
TICK_S = 0.5


@pytest.mark.parametrize(("jobs", "rate"), [(10_000, 1_000), (20_000, 1_000), (100_000, 1_000), (10_000, 0)])
async def test_cost_of_a_tick(jobs: int, rate: int) -> None:
    clock = Clock()
    source = DemoSource(jobs, 0, clock=clock)
    app = Board(source)
    feeds: list[float] = []
    whole: list[float] = []
    keys: list[float] = []
    async with app.run_test(size=(120, 40)):
        app.feed()
        await _painted()
        app.view.move(3)
        for _ in range(TICKS):
            clock.now += TICK_S
            source.tick(int(rate * TICK_S))
            answers = source.take_answers()
            begun = time.process_time()
            for tell in answers:
                tell()
            app.feed()
            feeds.append(time.process_time() - begun)
            await _painted()
            whole.append(time.process_time() - begun)
        for _ in range(TICKS):
            begun = time.process_time()
            app.view.move(1)
            app.table.redraw()
            await _painted()
            keys.append(time.process_time() - begun)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{jobs:,} jobs, {rate:,}/s: feed p50 {_ms(feeds, 50)} p95 {_ms(feeds, 95)} ms; with painting p50 "
        f"{_ms(whole, 50)} p95 {_ms(whole, 95)} ms = {statistics.mean(whole) / TICK_S:.1%} of a core; "
        f"a key p50 {_ms(keys, 50)} p95 {_ms(keys, 95)} ms; peak memory {memory:.0f} MB with the made-up engine"
    )


async def _painted() -> None:
    """Longer than the screen's update timer takes to come."""
    await asyncio.sleep(0.04)


def _ms(values: list[float], percentile: int) -> str:
    return f"{statistics.quantiles(values, n=100)[percentile - 1] * 1000:.1f}"
