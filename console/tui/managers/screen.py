"""Managers screen: all engines of the console and their worker managers. Enter goes to the one that is selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual.app import ComposeResult

from console.tui.actions import ActionScope
from console.tui.drawing.spans import Line
from console.tui.health.engine_lines import light_lines
from console.tui.keymap import bindings
from console.tui.lists.list_view import ListView, move_in
from console.tui.managers.manager_table import ManagerRow, ManagerTable, rows_of
from console.tui.screens.base import ConsoleScreen
from console.tui.state import ConsoleState
from console.tui.widgets.line_table import LineTable
from console.tui.widgets.text_pane import TextPane

NOTHING_HEARD: Final = " nothing heard from this engine yet"


class ManagersScreen(ConsoleScreen):
    """Reads snapshots only. Nothing can be changed here: that is done in the tab of the engine that it is about."""

    scope = ActionScope.MANAGERS
    BINDINGS: ClassVar = bindings(ActionScope.MANAGERS)
    AUTO_FOCUS = "#managers"
    shows_all_engines = True

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        self.view: ListView[ManagerRow] = ListView(lambda row: row.id)
        self.table = ManagerTable(self.view, glyphs=state.glyphs, id="managers")
        self.links = TextPane(glyphs=state.glyphs, id="manager-links")

    def panes(self) -> ComposeResult:
        """Compose managers, and the links of the selected one."""
        yield self.table
        yield self.links

    def trail(self) -> tuple[str, ...]:
        """`managers`."""
        return ("managers",)

    def own_hints(self) -> Mapping[str, str]:
        """What enter does."""
        return {"detail": "go there"}

    def show(self) -> None:
        """Fill table and links from the newest snapshots."""
        engines = self.console.engines
        self.view.take(rows_of(engines))
        here = next(place for place, engine in enumerate(engines) if engine is self.state)
        self.table.show(here=here, engines=len(engines))
        row = self.view.current
        names = (row.engine.engine_name, row.view.manager if row.view else "") if row else ()
        stale = row is not None and row.engine.stale
        self.links.show(self._link_lines(row), title=" ".join(("links of", *dict.fromkeys(names))), stale=stale)

    def _link_lines(self, row: ManagerRow | None) -> list[Line]:
        if row is None or row.view is None:
            return [((NOTHING_HEARD, "muted"),)]
        return light_lines([row.view], row.engine.engine_now, self.state.glyphs, self.links.inner_width)

    def move(self, how: str) -> None:
        """Select another manager."""
        move_in(self.view, how)

    def action_detail(self) -> None:
        """Go to the tab of the selected manager's engine, and show that manager's jobs."""
        if (row := self.view.current) is not None:
            several = len(row.engine.managers) > 1
            self.console.show_engine(row.place, row.view.manager if row.view and several else "")

    def on_line_table_opened(self, message: LineTable.Opened) -> None:
        """Go to the manager that was double-clicked."""
        self.action_detail()
