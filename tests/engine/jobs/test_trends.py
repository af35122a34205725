"""Counts over time and present rates, in bounded memory."""

from __future__ import annotations

from engine.jobs.trends import Rates, TrendRings, sum_trends
from engine.telemetry.schema.messages import JobState, Trends

START = 1_800_000_000.0


def test_a_window_has_a_sample_a_step_and_forgets_the_oldest() -> None:
    rings = TrendRings()
    for second in range(400):
        rings.sample(START + second, {JobState.RUNNING: second})
    trend = rings.window("5m")
    assert len(trend.counts[JobState.RUNNING]) == 60
    assert (trend.start, trend.step_s) == (START + 395 - 59 * 5, 5.0)
    assert trend.counts[JobState.RUNNING][-1] == 395


def test_each_window_has_its_own_step() -> None:
    rings = TrendRings()
    for second in range(0, 1801, 5):
        rings.sample(START + second, {JobState.RUNNING: 1})
    lengths = {name: len(rings.window(name).counts[JobState.RUNNING]) for name in ("5m", "1h", "24h")}
    assert lengths == {"5m": 60, "1h": 31, "24h": 4}


def test_a_machine_that_slept_leaves_no_hole_and_no_endless_work() -> None:
    rings = TrendRings()
    rings.sample(START, {JobState.RUNNING: 1})
    rings.sample(START + 10**6, {JobState.RUNNING: 2})
    trend = rings.window("5m")
    assert set(trend.counts[JobState.RUNNING]) == {2}
    assert START + 10**6 - 5 < trend.start + trend.step_s * 59 <= START + 10**6


def test_a_state_that_never_had_a_job_is_left_out() -> None:
    rings = TrendRings()
    rings.sample(START, {JobState.RUNNING: 1, JobState.FAILED: 0})
    assert rings.window("1h").counts.keys() == {JobState.RUNNING}


def test_before_the_first_sample_a_window_is_empty() -> None:
    assert TrendRings().window("5m").counts == {}


def test_managers_are_added_state_by_state() -> None:
    one = Trends("5m", START, 5.0, {JobState.RUNNING: (1, 2)})
    two = Trends("5m", START, 5.0, {JobState.RUNNING: (10, 20), JobState.FAILED: (0, 1)})
    assert sum_trends([one, two]).counts == {JobState.RUNNING: (11, 22), JobState.FAILED: (0, 1)}


def test_a_rate_is_over_the_last_ten_whole_seconds() -> None:
    rates = Rates()
    for second in range(30):
        rates.count_entry(JobState.SUCCEEDED, START + second)
        rates.count_entry(JobState.SUCCEEDED, START + second + 0.5)
    assert rates.per_second(START + 29.9) == {JobState.SUCCEEDED: 2.0}
    assert rates.per_second(START + 60) == {}
