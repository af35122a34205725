"""The panes beside the table: whole numbers of what the engine said, at every size, in every theme."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from textual.app import App, ComposeResult

from console.tui.drawing.glyphs import ASCII, UNICODE, Glyphs
from console.tui.drawing.spans import line_width, plain
from console.tui.widgets.alert_line import AlertLine
from console.tui.widgets.log_view import LogView
from console.tui.widgets.pane import Pane
from console.tui.widgets.quota import QuotaPane
from console.tui.widgets.routing import RoutingPane
from console.tui.widgets.state_strip import StateStrip
from console.tui.widgets.timeline import Timeline, timeline
from engine.telemetry.schema.messages import (
    JobRecord,
    JobState,
    ManagerView,
    Quota,
    RouteStats,
    Snapshot,
    Transition,
    Trends,
)
from tests.support.console.widget_app import Board, still_source
from tests.support.console.widget_samples import NOW, VITALS, page, row

COUNTS = {
    JobState.SUBMITTED: 369,
    JobState.RUNNABLE: 315,
    JobState.RUNNING: 495,
    JobState.SUCCEEDED: 8_585,
    JobState.FAILED: 16,
}


class One(App[None]):
    """One pane and nothing else."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


def view(**fields: object) -> ManagerView:
    made = ManagerView("spot", "spot", "queue", "definition", "eu-west-1", "s3://b", 5, 10, COUNTS, {})
    return msgspec.structs.replace(made, **fields)


def snapshot(*views: ManagerView) -> Snapshot:
    return Snapshot(NOW, views or (view(),), VITALS, 10)


async def drawn(pane: Pane, show: Callable[[], None], width: int, height: int) -> list[str]:
    app = One(pane)
    async with app.run_test(size=(width, height)):
        show()
        assert {line_width(line) for line in pane.lines} == {width}
        return pane.text.splitlines()


# ---- states


async def test_the_strip_has_a_column_per_state_with_count_rate_and_trend() -> None:
    strip = StateStrip()
    shown = snapshot(view(rates={JobState.SUCCEEDED: 41.0}, oldest_runnable_at=NOW - 900))
    trends = Trends("5m", NOW, 5, {JobState.RUNNING: (0, 250, 495), JobState.SUCCEEDED: (0, 0, 100, 200)})
    lines = await drawn(strip, lambda: strip.show(shown, trends=trends, stuck=64), 120, 5)
    assert [word in lines[0] for word in JobState] == [True] * 10
    assert "315 ▲64" in lines[1]
    assert "8,585" in lines[1]
    assert "+41/s" in lines[2]
    assert "▁▅█" in lines[3]
    assert "▁██" in lines[3]
    assert lines[4].startswith(" Σ 9,780 · done 41/s")
    assert "left 1,179 · ETA 28s" in lines[4]
    assert lines[4].rstrip().endswith("oldest RUNNABLE 15m")


async def test_without_room_for_words_the_columns_have_codes() -> None:
    strip = StateStrip()
    lines = await drawn(strip, lambda: strip.show(snapshot()), 100, 4)
    assert "● RUN " in lines[0]
    assert "RUNNING" not in lines[0]


async def test_at_eighty_by_two_every_state_that_has_jobs_is_there() -> None:
    strip = StateStrip()
    lines = await drawn(strip, lambda: strip.show(snapshot(), stuck=64), 80, 2)
    assert lines[0].rstrip() == " ○SUB 369  ◔RBL 315▲64  ◑STA 0  ●RUN 495  ✓OK 8,585  ✗FAIL 16"


async def test_the_narrow_strip_fits_the_largest_numbers() -> None:
    strip = StateStrip()
    many = snapshot(view(counts=dict.fromkeys(JobState, 1_234_567)))
    lines = await drawn(strip, lambda: strip.show(many), 80, 2)
    assert lines[0].count("1.2M") >= 8


async def test_before_anything_was_heard_there_are_no_noughts() -> None:
    strip = StateStrip()
    lines = await drawn(strip, lambda: strip.show(None), 120, 5)
    assert "0" not in "".join(lines)
    assert lines[1].count("–") == 10


async def test_counts_of_several_managers_add_up_and_one_can_be_chosen() -> None:
    strip = StateStrip()
    both = snapshot(view(), view(manager="gpu", counts={JobState.RUNNING: 5}))
    assert " 500 " in (await drawn(strip, lambda: strip.show(both), 120, 4))[1]
    strip = StateStrip()
    assert " 5 " in (await drawn(strip, lambda: strip.show(both, manager="gpu"), 120, 4))[1]


# ---- routes


ROUTES = (
    RouteStats("inline", 7_012, 100, 59_000_000, 59_000_000, 8_000, 16_384),
    RouteStats("inline-gzip", 2_046, 50, 30_000_000, 11_000_000, 15_000, 23_000),
    RouteStats("s3", 754, 0, 3_400_000_000, 3_400_000_000),
)


async def test_routes_have_shares_that_add_to_a_hundred() -> None:
    pane = RoutingPane()
    lines = await drawn(pane, lambda: pane.show(snapshot(view(routes=ROUTES, inline_limit=24_576))), 44, 12)
    assert [line.split()[1:4] for line in lines[2:5]] == [
        ["inline", "7,012", "71%"],
        ["gzip", "2,046", "21%"],
        ["s3", "754", "8%"],
    ]
    assert "inline p95 22K of 24K" in lines[6]


async def test_a_route_without_recent_jobs_has_no_percentile() -> None:
    pane = RoutingPane()
    lines = await drawn(pane, lambda: pane.show(snapshot(view(routes=ROUTES))), 60, 12)
    assert "–" in lines[4]


async def test_one_line_of_routes_for_small_screens() -> None:
    pane = RoutingPane()
    lines = await drawn(pane, lambda: pane.show(snapshot(view(routes=ROUTES))), 80, 1)
    assert lines[0].rstrip() == " route inline 71% 7.0k 56M · gzip 21% 2.0k 29M · s3 8% 754 3.2G"


# ---- quotas


def quota(used: float | None, limit: float | None, **fields: object) -> Quota:
    return msgspec.structs.replace(Quota("slots", used, limit, "slots", "engine", NOW - 12), **fields)


@pytest.mark.parametrize(
    ("found", "sign"),
    [
        (quota(50, 100), " 50%"),
        (quota(80, 100), "!80%"),
        (quota(96, 100), "!!96%"),
        (quota(101, 100), "THR"),
        (quota(1, 100, backoff_s=0.8), "THR"),
    ],
)
async def test_a_bar_says_how_near_its_limit_is(found: Quota, sign: str) -> None:
    pane = QuotaPane()
    lines = await drawn(pane, lambda: pane.show(snapshot(view(quotas=(found,)))), 44, 6)
    assert sign in lines[1]


async def test_an_unknown_limit_has_no_bar_but_the_reason() -> None:
    pane = QuotaPane()
    found = quota(534, None, note="needs servicequotas:GetServiceQuota")
    lines = await drawn(pane, lambda: pane.show(snapshot(view(quotas=(found,)))), 70, 6)
    assert "534/–  needs servicequotas:GetServiceQuota" in lines[1]
    assert not set("█░") & set(lines[1])


async def test_a_wide_quota_says_who_told_it_and_when() -> None:
    pane = QuotaPane()
    lines = await drawn(pane, lambda: pane.show(snapshot(view(quotas=(quota(1, 10),)))), 120, 6)
    assert "1/10 slots  engine, 12s ago" in lines[1]


async def test_throttles_are_told_with_the_time_that_they_cost() -> None:
    pane = QuotaPane()
    found = quota(1, 10, throttles=14, backoff_s=0.8)
    lines = await drawn(pane, lambda: pane.show(snapshot(view(quotas=(found,)))), 44, 6)
    assert "throttled 14 times · backing off 0.8s" in lines[2]


async def test_one_line_of_quotas_has_the_fullest_first() -> None:
    pane = QuotaPane()
    found = (quota(1, 10), quota(9, 10, name="SubmitJob"), quota(None, None, name="EC2"))
    lines = await drawn(pane, lambda: pane.show(snapshot(view(quotas=found))), 80, 1)
    assert lines[0].rstrip() == " quota SubmitJob !90% 9/10 · slots 10% · EC2 –"


# ---- a job's way


def record(*transitions: Transition) -> JobRecord:
    return JobRecord(row(1, transitions[-1].state if transitions else JobState.RUNNING), transitions=transitions)


def test_a_timeline_tells_when_and_how_long() -> None:
    way = [(JobState.SUBMITTED, 100, ""), (JobState.RUNNABLE, 99, ""), (JobState.RUNNING, 39, "i-0ab")]
    steps = [Transition(state, NOW - ago, note) for state, ago, note in way]
    lines = [plain(line).split() for line in timeline(record(*steps), NOW, 120)]
    assert [line[1:5] for line in lines] == [
        ["○", "SUBMITTED", "+0.0s", "1.0s"],
        ["◔", "RUNNABLE", "+1.0s", "1m00s"],
        ["●", "RUNNING", "+1m01s", "39s"],
    ]
    assert lines[2][-1] == "i-0ab"
    assert lines[2][-2].endswith("▶")


def test_a_job_that_ended_stays_nowhere() -> None:
    steps = (Transition(JobState.RUNNING, NOW - 5), Transition(JobState.SUCCEEDED, NOW - 1))
    assert plain(timeline(record(*steps), NOW, 120)[-1]).split()[-1] == "end"


async def test_a_timeline_follows_its_width() -> None:
    pane = Timeline()
    app = One(pane)
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
    app = One(pane)
    async with app.run_test(size=(100, 4)):
        pane.show_record(record(*steps), NOW)
        assert "FAILED" in pane.text
        pane.scroll_lines(-9)
        pane.show_record(record(*steps), NOW)
        assert "QUEUED" in pane.text


# ---- alerts


async def test_a_pause_is_worse_than_stuck_jobs() -> None:
    pane = AlertLine()
    paused = snapshot(view(paused="credentials expired at 10:48"))
    assert "credentials expired" in (await drawn(pane, lambda: pane.show(paused, stuck=3), 100, 1))[0]
    pane = AlertLine()
    line = (await drawn(pane, lambda: pane.show(snapshot(), stuck=3, reason="CAPACITY"), 100, 1))[0]
    assert line.startswith(" ▲ 3 jobs wait in RUNNABLE: CAPACITY")


# ---- logs


NASTY = [
    "\x1b[31mred\x1b[0m",
    "a\rb\r",
    "x" * 1_000_000,
    "漢字" * 200,
    "e\u0301" * 300 + "\u0335" * 100,
    "👩\u200d👩\u200d👧 family \U0001f1e9\U0001f1ea",
    "\x1b]0;title\x07\x00\x08\x7f\u202e",
    "",
    "tab\there",
]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (20, 6)])
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
async def test_no_line_of_a_log_can_break_the_frame(size: tuple[int, int], wrap: bool, glyphs: Glyphs) -> None:
    pane = LogView(glyphs=glyphs)
    pane.wrap = wrap
    pane.show(page(["of another job"], job=2), name_of=lambda task_id: f"\x1b[2J漢字 {task_id}")
    lines = await drawn(pane, lambda: pane.show(page(NASTY, start=1)), *size)
    assert {line[-1] for line in lines[1:-1]} <= {glyphs.frame[-1], glyphs.thumb}
    assert all(char.isprintable() for line in lines for char in line)


async def test_the_log_says_whether_it_follows_and_what_was_lost() -> None:
    pane = LogView()
    app = One(pane)
    async with app.run_test(size=(100, 10)):
        pane.show(page(["INFO x"] * 50, dropped=3), subject="of price_leg")
        lines = pane.text.splitlines()
        assert "logs of price_leg · 1 stream" in lines[0]
        assert "FOLLOW · 1.1s behind" in lines[0]
        assert "43–50 of 50 · 3 dropped" in lines[-1]
        pane.reader.scroll(-1)
        pane.show(page(["INFO y"] * 312, start=50, dropped=3))
        assert "312 new below (G)" in pane.text.splitlines()[0]


async def test_the_last_line_is_seen_when_long_lines_are_wrapped() -> None:
    pane = LogView()
    pane.wrap = True
    lines = await drawn(pane, lambda: pane.show(page(["word " * 100] * 5 + ["the end"])), 60, 10)
    assert "the end" in lines[-2]


async def test_lines_say_whose_they_are_only_when_there_are_several_jobs() -> None:
    pane = LogView()
    app = One(pane)
    async with app.run_test(size=(100, 10)):
        pane.show(page(["INFO x"]), name_of=lambda task_id: f"job{int(task_id, 16)}")
        assert "job1" not in pane.text
        pane.show(page(["INFO y"], start=1, job=2))
        assert ["job1" in pane.text, "job2" in pane.text] == [True, True]


async def test_an_empty_log_says_why() -> None:
    pane = LogView()
    empty = msgspec.structs.replace(page([]), status="waiting: the job has not started")
    lines = await drawn(pane, lambda: pane.show(empty), 60, 10)
    assert "waiting: the job has not started" in lines[2]


async def test_selected_text_comes_without_the_frame() -> None:
    pane = LogView()
    app = One(pane)
    async with app.run_test(size=(60, 10)):
        pane.clock = False
        pane.show(page(["INFO first", "INFO second"]))
        app.screen.text_select_all()
        selected = app.screen.get_selected_text() or ""
        assert [line.split()[-1] for line in selected.splitlines()[1:3]] == ["first", "second"]


# ---- all together


@pytest.mark.parametrize("theme", ["dark", "light", "ansi-dark", "ansi-light"])
@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60)])
async def test_no_pane_is_wider_than_the_screen_and_none_has_no_size(theme: str, size: tuple[int, int]) -> None:
    app = Board(still_source(), theme=theme)
    async with app.run_test(size=size) as pilot:
        app.feed()
        app.feed()
        await pilot.pause()
        for pane in app.query(Pane):
            if pane.display and pane.parent and getattr(pane.parent, "display", True):
                assert pane.size.area > 0, pane
                assert {line_width(line) for line in pane.lines} <= {pane.size.width}
        assert {len(line) for line in app.text.splitlines()} == {size[0]}


async def test_in_ascii_nothing_else_is_on_the_screen() -> None:
    app = Board(still_source(), glyphs=ASCII)
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed()
        app.feed()
        app.view.move(1)
        app.table.redraw()
        await pilot.pause()
        assert [char for char in app.text if not char.isascii()] == []


async def test_another_theme_repaints_what_is_there() -> None:
    app = Board(still_source())
    async with app.run_test(size=(100, 30)) as pilot:
        app.feed()
        await pilot.pause()
        before = app.table.render_line(5)._segments[3].style
        app.theme = "light"
        await pilot.pause()
        assert app.table.render_line(5)._segments[3].style != before


async def test_the_pane_with_the_focus_is_seen() -> None:
    app = Board(still_source())
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed()
        app.logs.focus()
        await pilot.pause()
        assert (app.logs.lines[0][0][1], app.table.lines[0][0][1]) == ("focus", "frame")
