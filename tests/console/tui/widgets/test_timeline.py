"""Timeline: times, stays and scrolling."""

from __future__ import annotations

import time

from console.tui.drawing.spans import line_width, plain
from console.tui.widgets.timeline import Timeline, timeline_lines
from engine.telemetry.schema.messages import (
    JobRecord,
    JobState,
    Transition,
)
from tests.support.console.single_pane import OnePane
from tests.support.console.widget_samples import NOW, row


def record(*transitions: Transition) -> JobRecord:
    return JobRecord(row(1, transitions[-1].state if transitions else JobState.RUNNING), transitions=transitions)


def test_a_timeline_tells_when_and_how_long() -> None:
    way = [(JobState.SUBMITTED, 100, ""), (JobState.RUNNABLE, 99, ""), (JobState.RUNNING, 39, "i-0ab")]
    steps = [Transition(state, NOW - ago, note) for state, ago, note in way]
    lines = [plain(line).split() for line in timeline_lines(record(*steps), NOW, 120)]
    assert [line[1:5] for line in lines] == [
        ["○", "SUBMITTED", "+0.0s", "1.0s"],
        ["◔", "RUNNABLE", "+1.0s", "1m00s"],
        ["●", "RUNNING", "+1m01s", "39s"],
    ]
    assert lines[2][-1] == "i-0ab"
    assert lines[2][-2].endswith("▶")


def test_a_job_that_ended_stays_nowhere() -> None:
    steps = (Transition(JobState.RUNNING, NOW - 5), Transition(JobState.SUCCEEDED, NOW - 1))
    assert plain(timeline_lines(record(*steps), NOW, 120)[-1]).split()[-1] == "end"


async def test_a_timeline_follows_its_width() -> None:
    pane = Timeline()
    app = OnePane(pane)
    async with app.run_test(size=(120, 10)) as pilot:
        pane.show_record(record(Transition(JobState.RUNNING, NOW - 5)), NOW)
        await pilot.resize_terminal(60, 8)
        await pilot.pause()
        assert {line_width(line) for line in pane.lines} == {60}
        assert "RUNNING" in pane.text


async def test_a_timeline_without_room_shows_the_newest_until_somebody_scrolls() -> None:
    pane = Timeline()
    states = (JobState.QUEUED, JobState.SUBMITTED, JobState.RUNNABLE, JobState.RUNNING, JobState.FAILED)
    steps = [Transition(state, NOW - 100 + place) for place, state in enumerate(states)]
    app = OnePane(pane)
    async with app.run_test(size=(100, 4)):
        pane.show_record(record(*steps), NOW)
        assert "FAILED" in pane.text
        pane.scroll_lines(-9)
        pane.show_record(record(*steps), NOW)
        assert "QUEUED" in pane.text


def test_times_of_another_day_have_its_date() -> None:
    steps = (Transition(JobState.QUEUED, NOW - 2 * 86_400), Transition(JobState.RUNNING, NOW - 5))
    first, second = (plain(line) for line in timeline_lines(record(*steps), NOW, 120))
    assert first.startswith(time.strftime(" %b %d %H:%M:%S", time.localtime(NOW - 2 * 86_400)))
    assert second.startswith(time.strftime("        %H:%M:%S", time.localtime(NOW - 5)))
