"""Submissions and calls of the manager in virtual time: the same on any machine."""

from __future__ import annotations

from tests.benchmarks.model_calls import count_calls


def test_waves_of_tasks_are_a_few_submissions_each() -> None:
    counts = count_calls(tasks=384, slots=96, seconds=2.0)
    assert not counts.story.broken
    assert counts.calls["submit_job"] <= 48  # 3 waves that refill, in sixteenths, are 48; each freed slot was one


def test_results_of_short_packed_tasks_are_read_many_with_a_call() -> None:
    counts = count_calls(tasks=384, slots=4, seconds=0.001, pack="auto")
    assert not counts.story.broken
    assert counts.calls["get_object"] <= 384 // 2
