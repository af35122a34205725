"""Log view: harmless lines, following, names of jobs."""

from __future__ import annotations

import msgspec
import pytest

from console import format
from console.tui.drawing.glyphs import ASCII, UNICODE, Glyphs
from console.tui.logs.log_view import LogView
from engine.telemetry.schema.messages import LogPage
from tests.support.console.single_pane import OnePane, draw_pane
from tests.support.console.widget_samples import NOW, page

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
    lines = await draw_pane(pane, lambda: pane.show(page(NASTY, start=1)), *size)
    assert {line[-1] for line in lines[1:-1]} <= {glyphs.frame[-1], glyphs.thumb}
    assert all(char.isprintable() for line in lines for char in line)


async def test_the_log_says_whether_it_follows_and_what_was_lost() -> None:
    pane = LogView()
    app = OnePane(pane)
    async with app.run_test(size=(100, 10)):
        pane.show(page(["INFO x"] * 50), subject="of price_leg")
        pane.show(page(["INFO x"], start=53, dropped=53))
        lines = pane.text.splitlines()
        assert "logs of price_leg · 1 stream ─" in lines[0]
        assert "FOLLOW · 1.1s behind" in lines[0]
        assert "44–51 of 51 · 3 dropped" in lines[-1]
        pane.reader.scroll(-1)
        pane.show(page(["INFO y"] * 312, start=54, dropped=53))
        assert "312 new below (G)" in pane.text.splitlines()[0]


async def test_the_last_line_is_seen_when_long_lines_are_wrapped() -> None:
    pane = LogView()
    pane.wrap = True
    lines = await draw_pane(pane, lambda: pane.show(page(["word " * 100] * 5 + ["the end"])), 60, 10)
    assert "the end" in lines[-2]


async def test_lines_say_whose_they_are_only_when_there_are_several_jobs() -> None:
    pane = LogView()
    app = OnePane(pane)
    async with app.run_test(size=(100, 10)):
        pane.show(page(["INFO x"]), name_of=lambda task_id: f"job{int(task_id, 16)}")
        assert "job1" not in pane.text
        pane.show(page(["INFO y"], start=1, job=2))
        assert ["job1" in pane.text, "job2" in pane.text] == [True, True]


async def test_an_empty_log_says_why() -> None:
    pane = LogView()
    empty = msgspec.structs.replace(page([]), status="waiting: the job has not started")
    lines = await draw_pane(pane, lambda: pane.show(empty), 60, 10)
    assert "waiting: the job has not started" in lines[2]


async def test_selected_text_comes_without_the_frame() -> None:
    pane = LogView()
    app = OnePane(pane)
    async with app.run_test(size=(60, 10)):
        pane.clock = False
        pane.show(page(["INFO first", "INFO second"]))
        app.screen.text_select_all()
        selected = app.screen.get_selected_text() or ""
        assert [line.split()[-1] for line in selected.splitlines()[1:3]] == ["first", "second"]


def told(lines: LogPage, **fields: object) -> LogPage:
    return msgspec.structs.replace(lines, **fields)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"jobs": 50, "of_jobs": 100, "streams": 50}, "logs of running jobs · 50 of 100 jobs ─"),
        ({"jobs": 3, "of_jobs": 3, "streams": 4}, "logs of running jobs · 3 jobs ─"),
        ({"earlier": True}, f"logs of running jobs · 1 stream · begins at {format.clock(NOW)}; earlier lines: g ─"),
    ],
)
async def test_the_title_says_what_is_missing(fields: dict[str, object], title: str) -> None:
    pane = LogView()
    lines = await draw_pane(pane, lambda: pane.show(told(page(["x"]), **fields), subject="of running jobs"), 100, 10)
    assert title in lines[0]


async def test_a_log_that_ended_is_not_behind() -> None:
    pane = LogView()
    lines = await draw_pane(pane, lambda: pane.show(told(page(["x"]), is_done=True, behind_s=None)), 100, 10)
    assert "ENDED" in lines[0]
    assert "behind" not in lines[0]


async def test_lines_of_another_day_have_their_date() -> None:
    pane = LogView()
    lines = await draw_pane(pane, lambda: pane.show(page(["x"]), today=NOW + 2 * 86_400), 100, 10)
    assert "Nov 1" in lines[1]
    lines = await draw_pane(pane := LogView(), lambda: pane.show(page(["x"]), today=NOW), 100, 10)
    assert "Nov" not in lines[1]


async def test_every_word_of_a_long_wrapped_line_is_seen_on_the_way_through_it() -> None:
    words = {f"word{number:04}" for number in range(800)}
    pane = LogView()
    pane.wrap = True
    seen: set[str] = set()
    async with OnePane(pane).run_test(size=(60, 10)):
        pane.show(page(["first", " ".join(sorted(words)), "last"]))
        pane.reader.to_top()
        while not pane.reader.follow:
            pane.redraw()
            seen |= set(pane.text.split())
            pane.reader.scroll(3)
    assert words <= seen


@pytest.mark.parametrize("wrap", [False, True])
async def test_what_is_found_in_a_long_line_is_on_screen_and_marked(wrap: bool) -> None:
    pane = LogView()
    pane.wrap = wrap
    async with OnePane(pane).run_test(size=(60, 10)):
        pane.show(page(["needle", *["hay"] * 20, "hay " * 300 + "needle " + "hay " * 300, *["hay"] * 20]))
        assert pane.reader.find("NEEDLE")
        pane.redraw()
        assert "needle" in pane.text
        assert "/NEEDLE 2 of 2 · " in pane.text.splitlines()[-1]
        marked = [text for line in pane.lines for text, role in line if "found" in role.split()]
        assert marked == ["needle"]


async def test_what_was_found_stays_on_screen_when_lines_are_wrapped() -> None:
    pane = LogView()
    async with OnePane(pane).run_test(size=(60, 10)):
        pane.show(page([*["hay " * 100] * 20, "needle", *["hay " * 100] * 20]))
        assert pane.reader.find("needle")
        for wrap in (True, False, True):
            pane.set_wrap(wrap)
            assert "needle" in "".join(pane.text.splitlines()[1:-1])


async def test_a_narrow_log_that_lacks_its_beginning_says_that_it_is_paused() -> None:
    pane = LogView()
    async with OnePane(pane).run_test(size=(80, 10)):
        pane.show(told(page(["x"] * 50), earlier=True, jobs=1, of_jobs=1), subject="of 43da simulate")
        pane.reader.scroll(-3)
        pane.redraw()
        assert f"from {format.clock(NOW)}; earlier: g" in pane.text.splitlines()[0]
        assert "PAUSED · 0 new (G)" in pane.text.splitlines()[0]
