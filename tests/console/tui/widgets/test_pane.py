"""Panes together: sizes, themes, ASCII and focus."""

from __future__ import annotations

import pytest

from console.tui.drawing.glyphs import ASCII
from console.tui.drawing.spans import line_width
from console.tui.widgets.pane import Pane
from tests.support.console.widget_app import Board, still_source


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
