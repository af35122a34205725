"""Log screen: lines of one job, of several, or of all that run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult

from console.tui.actions import ActionScope
from console.tui.clipboard import copy
from console.tui.export import lines_as_text
from console.tui.keymap import bindings
from console.tui.logs.console_urls import print_urls
from console.tui.logs.log_feed import LogFeed
from console.tui.logs.log_levels import Level
from console.tui.logs.log_view import LogView
from console.tui.logs.outside import leave_console, page_text
from console.tui.polling import PolledRequest
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.dashboard import move_log, toggle_follow
from console.tui.state import ConsoleState
from console.tui.widgets.prompt import Question

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.tui.logs.log_buffer import LogEntry


class LogsScreen(ConsoleScreen):
    """Log lines of `task_ids`; empty: of all running jobs."""

    scope = ActionScope.LOGS
    BINDINGS: ClassVar = bindings(ActionScope.LOGS)
    AUTO_FOCUS = "#lines"

    def __init__(self, state: ConsoleState, task_ids: tuple[str, ...], pattern: str = "") -> None:
        super().__init__(state)
        self.task_ids = task_ids
        self.log_view = LogView(glyphs=state.glyphs, id="lines")
        self._feed = LogFeed(state, self.log_view)
        self._feed.choose(task_ids, f"of {self._subject()}")
        self.log_view.reader.set_pattern(pattern)

    def _subject(self) -> str:
        if not self.task_ids:
            return "running jobs"
        if len(self.task_ids) > 1:
            return f"{len(self.task_ids)} jobs"
        return self._feed.name_of(self.task_ids[0])

    def panes(self) -> ComposeResult:
        """Compose the log."""
        yield self.log_view

    def trail(self) -> tuple[str, ...]:
        """`logs`, then whose."""
        return "logs", self._subject()

    def questions(self) -> Sequence[PolledRequest]:
        """Pages of log lines."""
        return self._feed.question, self._feed.older

    def show(self) -> None:
        """Redraw the log."""
        self.log_view.show(stale=self.state.stale)

    def move(self, how: str) -> None:
        """Move by lines and half pages."""
        move_log(self.log_view, how)

    def step_back(self) -> bool:
        """Clear what was sought, the filter, or follow the end again."""
        reader = self.log_view.reader
        if reader.search.text:
            reader.search.begin("")
            self.show()
            return True
        if reader.pattern:
            self._narrow("")
            return True
        if not reader.follow:
            reader.resume()
            self.show()
            return True
        return False

    # ---- actions

    def action_search(self) -> None:
        """Prompt for a text to find."""
        words = tuple(reversed(self.log_view.reader.search.history))
        last = f"; enter again: {words[0]}" if words else ""
        self.ask_line(Question("/", self._find, words=words, placeholder=f"text to find; n and N go on{last}"))

    def _find(self, text: str) -> str:
        reader = self.log_view.reader
        text = text or next(reversed(reader.search.history), "")
        found = not text or reader.find(text)
        self.show()
        return "" if found else "no line has that"

    def action_next_hit(self) -> None:
        """Go to the next line with the text."""
        self._step_hit(1)

    def action_previous_hit(self) -> None:
        """Go to the line before with the text."""
        self._step_hit(-1)

    def _step_hit(self, step: int) -> None:
        reader = self.log_view.reader
        if not reader.search.text:
            self.notify("nothing was sought yet: / finds")
        elif not reader.find_next(step):
            self.notify(f"no line {'below' if step > 0 else 'above'} has it")
        self.show()

    def action_log_filter(self) -> None:
        """Prompt for a text that lines must hold, applied as it is typed."""
        before = self.log_view.reader.pattern

        def undo() -> None:
            self._narrow(before)

        self.ask_line(Question("\\", self._narrow, text=before, change=self._narrow, cancel=undo))

    def _narrow(self, text: str) -> str:
        self.log_view.reader.set_pattern(text)
        self.show()
        return ""

    def action_follow(self) -> None:
        """Follow the end, or hold still."""
        toggle_follow(self.log_view)

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.log_view.set_wrap(not self.log_view.wrap)

    def action_times(self) -> None:
        """Show or hide the times."""
        self.log_view.clock = not self.log_view.clock
        self.show()

    def action_level(self, number: int) -> None:
        """Show lines of that level and above: 1 is DEBUG, 4 is ERROR."""
        self.log_view.reader.set_level(Level(number - 1))
        self.show()

    def action_copy_line(self) -> None:
        """Copy the lines on screen."""
        self._copy(self.log_view.reader.visible())

    def action_copy_lines(self) -> None:
        """Copy all lines of the buffer."""
        self._copy(self.log_view.buffer)

    def _copy(self, entries: Iterable[LogEntry]) -> None:
        lines = [entry.text for entry in entries]
        if not lines:
            self.notify("there is no line to copy")
            return
        self.notify(f"{len(lines)} lines {copy(chr(10).join(lines), self.app.copy_to_clipboard)}", markup=False)

    def action_console_urls(self) -> None:
        """Print where AWS's console has the job, or the one that the last line on screen is of."""
        entries = self.log_view.reader.visible()
        if len(self.task_ids) == 1 or entries:
            print_urls(self, self.task_ids[0] if len(self.task_ids) == 1 else entries[-1].task_id)
        else:
            self.notify("there is no line, so no job to tell of")

    def action_pager(self) -> None:
        """Show all lines that fit in the user's pager."""
        text = self.log_view.text_of_lines()
        leave_console(
            self.app, page_text, text, "this terminal can't be given to a pager: e writes the lines to a file"
        )

    def action_export(self) -> None:
        """Export all lines of the buffer as text."""
        self.console.export("log", {"txt": lines_as_text(self.log_view.buffer)})
