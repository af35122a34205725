"""Percentiles of what happened lately, in constant memory."""

from __future__ import annotations

import pytest

from engine.aws.calls.histogram import SLICES, RecentHistogram
from tests.support.engine.fake_clock import FakeClock


def test_percentiles_are_right_within_a_tenth() -> None:
    histogram = RecentHistogram(FakeClock())
    for value in range(1, 10_001):
        histogram.add(value)
    assert histogram.percentiles(0.5, 0.95, 0.99) == pytest.approx((5_000, 9_500, 9_900), rel=0.1)


def test_nothing_seen_is_zero() -> None:
    assert RecentHistogram(FakeClock()).percentiles(0.5, 0.99) == (0.0, 0.0)


def test_values_leave_with_the_window() -> None:
    clock = FakeClock()
    histogram = RecentHistogram(clock, window_s=300)
    histogram.add(1_000)
    clock.now += 200
    histogram.add(10)
    assert histogram.count == 2
    clock.now += 101
    assert histogram.count == 1
    clock.now += 300
    assert histogram.count == 0


def test_memory_is_bounded_whatever_comes() -> None:
    clock = FakeClock()
    histogram = RecentHistogram(clock, window_s=10)
    for step in range(1_000):
        clock.now += 0.5
        histogram.add(10.0**step if step < 300 else 0)
    assert len(histogram._slices) <= SLICES
