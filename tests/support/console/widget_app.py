"""A small app with every pane on it, fed from the made-up engine: what the widgets' tests look at."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical

from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.theme import THEMES
from console.tui.health.alerts import alerts
from console.tui.jobs.jobs_view import JobsView
from console.tui.logs.log_view import LogView
from console.tui.widgets.alert_line import AlertLine
from console.tui.widgets.job_table import JobTable
from console.tui.widgets.quota import QuotaPane
from console.tui.widgets.routing import RoutingPane
from console.tui.widgets.state_strip import StateStrip
from engine.telemetry.schema.messages import Answer, GetLogs, GetTrends, JobPage, LogPage, Trends
from tests.support.console.demo.source import DemoSource


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def still_source(jobs: int = 500, **options: object) -> DemoSource:
    """A picture that stays the same: nothing moves, and the clock stands."""
    return DemoSource(jobs, 0, clock=Clock(), **options)  # type: ignore[arg-type]


class Board(App[None]):
    """`feed` polls the source and shows what came, as the console's timer does."""

    CSS = """
    StateStrip { height: 5; }
    #middle { height: 1fr; }
    #right { width: 44; }
    RoutingPane { height: 12; }
    AlertLine { height: 1; }
    LogView { height: 10; }
    .-narrow StateStrip { height: 2; }
    .-narrow #right { display: none; }
    .-narrow LogView { height: 5; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  Textual's own form

    def __init__(self, source: DemoSource, *, glyphs: Glyphs = UNICODE, theme: str = "dark") -> None:
        super().__init__()
        self.source, self.view, self.glyphs = source, JobsView(), glyphs
        self.trends: Trends | None = None
        for ours in THEMES.values():
            self.register_theme(ours)
        self.theme = theme

    def compose(self) -> ComposeResult:
        yield StateStrip(glyphs=self.glyphs)
        with Horizontal(id="middle"):
            yield JobTable(self.view, glyphs=self.glyphs)
            with Vertical(id="right"):
                yield RoutingPane(glyphs=self.glyphs)
                yield QuotaPane(glyphs=self.glyphs)
        yield AlertLine(glyphs=self.glyphs)
        yield LogView(glyphs=self.glyphs)

    @property
    def table(self) -> JobTable:
        return self.query_one(JobTable)

    @property
    def logs(self) -> LogView:
        return self.query_one(LogView)

    @property
    def strip(self) -> StateStrip:
        return self.query_one(StateStrip)

    @property
    def text(self) -> str:
        """The screen as it is composed, colours left away."""
        lines = self.screen._compositor.render_strips(self.screen.size)
        return "\n".join(strip.text for strip in lines)

    def feed(self) -> None:
        source, view = self.source, self.view
        source.poll()
        view.refresh(source.replica)
        source.ask(GetTrends(), self._keep_trends)
        source.ask(GetLogs(after=self.logs.buffer.next), self._show_logs)
        if asked := view.wanted_window():
            source.ask(asked, self._on_window(view.show_window, asked))
        self.show_all()

    def show_all(self) -> None:
        snapshot, view = self.source.replica.snapshot, self.view
        stuck = view.stuck_count
        self.strip.show(snapshot, trends=self.trends, stuck=stuck)
        self.table.show(age_s=0.4, several_managers=len(snapshot.managers) > 1 if snapshot else False)
        self.query_one(RoutingPane).show(snapshot, age_s=1)
        self.query_one(QuotaPane).show(snapshot, age_s=12)
        told = alerts(snapshot, stuck=stuck, reason=view.stuck_reason, note=view.take_note())
        self.query_one(AlertLine).show(told)

    def _keep_trends(self, answer: Answer) -> None:
        self.trends = answer if isinstance(answer, Trends) else None

    def _show_logs(self, answer: Answer) -> None:
        if isinstance(answer, LogPage):
            self.logs.show(answer, subject="of all that run")

    def _on_window(self, show: Callable[..., None], asked: object) -> Callable[[Answer], None]:
        return lambda answer: show(asked, answer) if isinstance(answer, JobPage) else None


if __name__ == "__main__":

    class Moving(Board):
        def on_mount(self) -> None:
            self.set_interval(0.5, self.feed)

    Moving(DemoSource(clock=time.monotonic)).run()
