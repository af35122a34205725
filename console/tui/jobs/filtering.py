"""Filter of the jobs, prompted for on any screen that heeds it."""

from __future__ import annotations

from console import format
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.prompt import Question
from engine.telemetry.schema.query import QueryError


class Filtering(ConsoleScreen):
    """Mixin for a screen that shows the jobs that fit `state.view.filter`."""

    def action_filter(self) -> None:
        """Prompt for a filter, applied as it is typed."""
        before = self.state.view.filter
        self.ask_line(
            Question(
                "/",
                self.filter_by,
                text=before,
                change=self.filter_by,
                cancel=lambda: self.set_filter(before),
                placeholder="word  =FAILED  !=RUN  fn:price  fn~^price_  exit=137  took>1m  for>10m",
                hint=lambda: f"{format.count(self.state.view.matching)} fit",
                kept_as="filter",
            )
        )

    def filter_by(self, text: str) -> str:
        """Filter the jobs; returns an error text, empty when `text` is a filter."""
        try:
            self.set_filter(text)
        except QueryError as error:
            return str(error)
        return ""

    def set_filter(self, text: str) -> None:
        """Filter the jobs. Raises `QueryError`."""
        self.state.view.set_filter(text)
        self.show()
