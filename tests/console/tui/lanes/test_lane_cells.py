"""Signs of lanes: what runs, waits, failed and was lost, and the times above."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from console.tui.drawing.glyphs import ASCII, UNICODE
from console.tui.drawing.spans import plain
from console.tui.lanes.about_job import job_lines
from console.tui.lanes.lane_cells import axis_line, lane_line
from engine.telemetry.schema.messages import JobState, LaneSpan
from tests.support.engine.telemetry_samples import NOW, row

SPANS = (
    LaneSpan(1, 2, 0.0, 1.0, 0, 0, "a"),
    LaneSpan(3, 2, 1.0, 0.0, 0, 0, "a"),
    LaneSpan(5, 1, 0.4, 0.6, 0, 1, "a"),
    LaneSpan(6, 1, 0.5, 0.0, 1, 0, "a"),
    LaneSpan(7, 2, 1.0, 0.0, 0, 0, "b"),
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_each_thing_that_happens_has_a_sign_and_neighbours_are_told_apart() -> None:
    assert plain(lane_line(SPANS, 10, None, "", UNICODE)) == " ░░██↺✗▐█ "
    assert plain(lane_line(SPANS, 10, None, "", ASCII)) == " ww##@x[# "


def test_the_cells_of_the_selected_job_have_a_colour_and_a_sign_of_their_own() -> None:
    assert "".join(text for text, role in lane_line(SPANS, 10, None, "b", UNICODE) if role == "mark") == "▐▓"
    assert plain(lane_line(SPANS, 10, None, "a", ASCII)) == " ww%%@x[# "


def test_jobs_beside_each_other_are_a_height_of_the_most() -> None:
    spans = [LaneSpan(cell, 1, busy, 0.0, 0, 0, str(cell)) for cell, busy in enumerate((0.01, 4.0, 8.0))]
    assert plain(lane_line(spans, 4, 8.0, "", UNICODE)) == "▁▅█ "


def test_times_stand_above_their_cells() -> None:
    assert plain(axis_line(1_800_000_050.0, 3.0, 24, UNICODE)) == "   ╷08:01:00 ╷08:01:30  "
    assert plain(axis_line(1_800_000_050.0, 6.0, 18, ASCII)) == " |08:01    |08:02 "


def test_a_job_tells_its_waits_and_runs_in_turn() -> None:
    times = (NOW - 100, NOW - 60, NOW - 40, NOW - 10)
    run = row(1, JobState.RUNNING, slot=3, times=times, host="9f0a", attempt=2)
    what, course, _ = map(plain, job_lines(run, NOW, UNICODE))
    assert what == " price 00000000  ● RUNNING · slot 3 · host 9f0a · attempt 2"
    assert course.partition("slot")[2] == " → waited 40s → ran 20s ↺ → waited 30s → runs 10s"
    ended = row(1, JobState.SUCCEEDED, times=times[:2], since=NOW - 30)
    assert plain(job_lines(ended, NOW, UNICODE)[1]).endswith("waited 40s → ran 30s")
