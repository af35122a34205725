"""State strip: whole numbers of what the engine counted, at every size."""

from __future__ import annotations

import pytest

from console.tui.widgets.state_strip import StateStrip
from engine.telemetry.schema.messages import (
    Budget,
    BudgetView,
    JobState,
    Link,
    LinkId,
    Trends,
)
from tests.support.console.single_pane import draw_pane, manager_view, snapshot_of
from tests.support.console.widget_samples import NOW


async def test_the_strip_has_a_column_per_state_with_count_rate_and_trend() -> None:
    strip = StateStrip()
    shown = snapshot_of(manager_view(rates={JobState.SUCCEEDED: 41.0}, oldest_runnable_at=NOW - 900))
    trends = Trends("5m", NOW, 5, {JobState.RUNNING: (0, 250, 495), JobState.SUCCEEDED: (0, 0, 100, 200)})
    lines = await draw_pane(strip, lambda: strip.show(shown, trends=trends, stuck=64), 120, 5)
    assert [word in lines[0] for word in JobState] == [True] * 10
    assert "315 ▲64" in lines[1]
    assert "8,585" in lines[1]
    assert "+41/s" in lines[2]
    assert "▁▅█" in lines[3]
    assert "▁██" in lines[3]
    assert lines[4].startswith(" Σ 9,780 · done 41/s")
    assert "left 1,179 · ETA 28s" in lines[4]
    assert lines[4].rstrip().endswith("oldest RUNNABLE 15m")


async def test_what_is_left_is_a_lower_bound_while_the_scheduler_may_hold_more() -> None:
    strip = StateStrip()
    shown = snapshot_of(manager_view(rates={JobState.SUCCEEDED: 41.0}, queue_full=True))
    lines = await draw_pane(strip, lambda: strip.show(shown), 120, 5)
    assert "left ≥1,179 · ETA ≥28s" in lines[4]


async def test_the_pace_of_those_before_tells_nothing_of_the_last_ones_that_run() -> None:
    strip = StateStrip()
    counts = {JobState.RUNNING: 3, JobState.STARTING: 1, JobState.SUCCEEDED: 500}
    shown = snapshot_of(manager_view(counts=counts, rates={JobState.SUCCEEDED: 41.0}))
    lines = await draw_pane(strip, lambda: strip.show(shown), 120, 5)
    assert "left 4" in lines[4]
    assert "ETA" not in lines[4]


SPENT = BudgetView(Budget(50.0), 51.0, True)
DOWN = (Link("scheduler", False, NOW - 38, "no echo", id=LinkId.SCHEDULER),)


@pytest.mark.parametrize("halt", [{"paused": "throttled"}, {"draining": True}, {"budget": SPENT}, {"links": DOWN}])
async def test_while_nothing_is_submitted_nothing_is_foretold(halt: dict[str, object]) -> None:
    strip = StateStrip()
    shown = snapshot_of(manager_view(rates={JobState.SUCCEEDED: 41.0}, **halt))
    lines = await draw_pane(strip, lambda: strip.show(shown), 120, 5)
    assert "left 1,179" in lines[4]
    assert "ETA" not in lines[4]


async def test_nothing_is_left_of_nothing_whatever_the_scheduler_holds() -> None:
    strip = StateStrip()
    shown = snapshot_of(manager_view(counts={JobState.SUCCEEDED: 5}, queue_full=True))
    lines = await draw_pane(strip, lambda: strip.show(shown), 120, 5)
    assert "left 0" in lines[4]


async def test_without_room_for_words_the_columns_have_codes() -> None:
    strip = StateStrip()
    lines = await draw_pane(strip, lambda: strip.show(snapshot_of()), 100, 4)
    assert "● RUN " in lines[0]
    assert "RUNNING" not in lines[0]


async def test_at_eighty_by_two_every_state_that_has_jobs_is_there() -> None:
    strip = StateStrip()
    lines = await draw_pane(strip, lambda: strip.show(snapshot_of(), stuck=64), 80, 2)
    assert lines[0].rstrip() == " ○SUB 369  ◔RBL 315▲64  ◑STA 0  ●RUN 495  ✓OK 8,585  ✗FAIL 16"


async def test_the_narrow_strip_fits_the_largest_numbers() -> None:
    strip = StateStrip()
    many = snapshot_of(manager_view(counts=dict.fromkeys(JobState, 1_234_567)))
    lines = await draw_pane(strip, lambda: strip.show(many), 80, 2)
    assert lines[0].count("1.2M") >= 8


async def test_before_anything_was_heard_there_are_no_noughts() -> None:
    strip = StateStrip()
    lines = await draw_pane(strip, lambda: strip.show(None), 120, 5)
    assert "0" not in "".join(lines)
    assert lines[1].count("–") == 10


async def test_counts_of_several_managers_add_up_and_one_can_be_chosen() -> None:
    strip = StateStrip()
    both = snapshot_of(manager_view(), manager_view(manager="gpu", counts={JobState.RUNNING: 5}))
    assert " 500 " in (await draw_pane(strip, lambda: strip.show(both), 120, 4))[1]
    strip = StateStrip()
    assert " 5 " in (await draw_pane(strip, lambda: strip.show(both, manager="gpu"), 120, 4))[1]


@pytest.mark.parametrize(
    ("failed", "acknowledged", "role", "shown"),
    [(0, 0, "muted", "0"), (16, 0, "failed", "16"), (16, 16, "text", "16"), (18, 16, "failed", "18 +2")],
)
@pytest.mark.parametrize("height", [2, 5])
async def test_failed_is_red_only_while_there_are_failures_that_nobody_acknowledged(
    failed: int, acknowledged: int, role: str, shown: str, height: int
) -> None:
    strip = StateStrip()
    counts = {JobState.RUNNING: 1, JobState.FAILED: failed}
    view = manager_view(counts=counts, failed_acknowledged=acknowledged)
    lines = await draw_pane(strip, lambda: strip.show(snapshot_of(view)), 120, height)
    assert {role for line in strip.lines[:1] for text, role in line if "FAIL" in text} == {role}
    assert shown in lines[1 if height == 5 else 0].replace("+2", " +2").replace("  +2", " +2")
