"""Journal screen: events of the engine, newest first; in a recording they set the moment that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult

from console.foreign_text import clean
from console.tui.actions import ActionScope
from console.tui.clipboard import copy
from console.tui.drawing.wrapping import folded
from console.tui.journal.event_table import EventTable
from console.tui.keymap import bindings
from console.tui.lists.list_view import ListView, move_in
from console.tui.polling import PolledRequest
from console.tui.screens.base import ConsoleScreen
from console.tui.state import ConsoleState
from console.tui.widgets.line_table import LineTable
from console.tui.widgets.state_strip import StateStrip
from console.tui.widgets.text_pane import TextPane
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.schema.messages import EVENTS_KEPT, Answer, Event, Events, GetEvents, GetTrends, Trends

PERIOD_S: Final = 1.0
TREND_PERIOD_S: Final = 5.0
NO_TRAVEL: Final = "a living engine shows only now: record with --record, and replay shows each event's moment"


class JournalScreen(ConsoleScreen):
    """Events above which the states stand as they are, or were at the selected event of a recording."""

    scope = ActionScope.JOURNAL
    BINDINGS: ClassVar = bindings(ActionScope.JOURNAL)
    AUTO_FOCUS = "#events"

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        self.view: ListView[Event] = ListView(lambda event: event.seq)
        self.strip = StateStrip(glyphs=state.glyphs, id="states")
        self.table = EventTable(self.view, glyphs=state.glyphs, id="events")
        self.whole = TextPane(glyphs=state.glyphs, id="event")
        self._trends: Trends | None = None
        self._engine: str | None = None
        """None: nothing was answered yet."""
        self._ask = PolledRequest(state.source, self._request, self._take, PERIOD_S)
        trends = lambda: GetTrends(state.preferences.trend, state.view.manager)  # noqa: E731
        self._ask_trends = PolledRequest(state.source, trends, self._take_trends, TREND_PERIOD_S)

    def panes(self) -> ComposeResult:
        """Compose states, events, and the whole text of one."""
        yield self.strip
        yield self.table
        yield self.whole

    def trail(self) -> tuple[str, ...]:
        """`events`."""
        return ("events",)

    def questions(self) -> Sequence[PolledRequest]:
        """The events that are new, and trends for the states."""
        return self._ask, self._ask_trends

    @property
    def player(self) -> ReplaySource | None:
        """Player of a recording; None of a living engine."""
        source = self.state.source
        return source if isinstance(source, ReplaySource) else None

    # ---- what comes

    def _request(self) -> GetEvents:
        return GetEvents(self.view.items[0].seq if self.view.items else -1)

    def _take(self, answer: Answer) -> None:
        if not isinstance(answer, Events):
            return
        if answer.engine != self._engine and self._engine is not None:  # it started again, and counts anew
            self.view.take(())
            self._ask.reset()
        else:
            newest = tuple(reversed(answer.events))
            self.view.take((*newest, *self.view.items)[:EVENTS_KEPT])
        self._engine = answer.engine
        self.show()

    def _take_trends(self, answer: Answer) -> None:
        if isinstance(answer, Trends):
            self._trends = answer
            self.show()

    # ---- what is shown

    def show(self) -> None:
        """Fill the strip and the table."""
        state, player = self.state, self.player
        state.view.refresh(state.replica)
        snapshot = state.replica.snapshot
        self.strip.show(
            snapshot,
            trends=self._trends,
            manager=state.view.manager,
            stuck=state.view.stuck_count,
            stale=state.stale,
        )
        now = snapshot.at if snapshot else 0.0
        self.table.show(
            now=now,
            shown_at=player.at if player else None,
            is_known=self._engine is not None,
            several_managers=len(state.managers) > 1,
            stale=state.stale,
        )

        event = self.view.current
        text = folded(clean(event.text), self.whole.inner_width - 2) if event else []
        self.whole.show([((f" {line}", "text"),) for line in text], title=event.kind if event else "event")

    def move(self, how: str) -> None:
        """Select another event."""
        move_in(self.view, how)

    # ---- actions

    def action_earlier(self) -> None:
        """Go to the event before."""
        self._travel(1)

    def action_later(self) -> None:
        """Go to the next event."""
        self._travel(-1)

    def _travel(self, step: int) -> None:
        player = self.player
        if player is None:
            self.notify(NO_TRAVEL)
            self.view.move(step)
        else:
            self._choose(player, step)
            if (event := self.view.selected_item) is not None:
                player.pause()
                player.seek(event.at)
                self._ask_trends.reset()
        self.show_all()

    def _choose(self, player: ReplaySource, step: int) -> None:
        """Select where to go: the selected event when the picture is elsewhere, else the next in that direction."""
        event, items = self.view.selected_item, self.view.items
        if event is None:
            ahead = [place for place, each in enumerate(items) if (each.at - player.at) * step < 0]
            self.view.move_to((ahead[0] if step > 0 else ahead[-1]) if ahead else 0)
        elif player.at == min(max(event.at, player.recording.start), player.recording.end):
            self.view.move(step)

    def action_detail(self) -> None:
        """Open the job that the event is about."""
        event = self.view.selected_item
        if event is None or not event.task_id:
            self.notify("this event is about no job" if event else "select an event first: j and k move")
        else:
            self.console.open_job(event.task_id)

    def action_copy(self) -> None:
        """Copy what the event says."""
        if (event := self.view.current) is not None:
            self.notify(f"{event.text} {copy(event.text, self.app.copy_to_clipboard)}", markup=False)

    def on_line_table_opened(self, message: LineTable.Opened) -> None:
        """Open the job of the event that was double-clicked."""
        self.action_detail()
