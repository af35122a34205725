"""The console as its screens and helpers see it: places to go to, settings, exports, and the engine's actions.

The app (`console.tui.app.ConsoleApp`) fits these protocols. Screens and helpers import this module
instead, so that imports go one way: app, screens, helpers, this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from console.tui.actions import ActionScope
    from console.tui.engine_actions import EngineActions
    from console.tui.preferences import SavedView
    from console.tui.state import ConsoleState


class ScopedScreen(Protocol):
    """Screen with actions of one scope."""

    @property
    def scope(self) -> ActionScope:
        """Scope whose actions the screen carries out."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """True when `action` is possible now, None when it is not allowed, False when the screen has none."""


class JobBoard(Protocol):
    """Screen with the table of jobs: filter, order, manager and trends can be set from elsewhere."""

    def filter_by(self, text: str) -> str:
        """Filter the jobs; returns an error text, empty when `text` is a filter."""

    def sort_by(self, name: str) -> None:
        """Order the jobs; the same name again reverses the order. Raises `QueryError` for an unknown one."""

    def use_view(self, view: SavedView) -> str:
        """Show the jobs as a saved view says; returns an error text, empty when it can be."""

    def shown_view(self) -> SavedView:
        """Filter, order and columns that are shown."""

    def set_trend(self, window: str) -> None:
        """Choose the trends' window, like `5m`."""

    def only_manager(self, manager: str) -> None:
        """Show one worker manager's jobs; empty: those of all."""


class Console(Protocol):
    """Running console. Screens reach it by `ConsoleScreen.console`."""

    @property
    def state(self) -> ConsoleState:
        """State that all screens of one engine share: of the engine that is shown."""

    @property
    def engines(self) -> Sequence[ConsoleState]:
        """States of all engines, in the order of their tabs."""

    def show_engine(self, place: int, manager: str = "") -> None:
        """Show the dashboard of another engine, with one worker manager's jobs, or those of all when it is empty."""

    @property
    def control(self) -> EngineActions:
        """Requests that change the engine that is shown."""

    @property
    def dashboard(self) -> JobBoard:
        """First screen, which is never left."""

    @property
    def top_screen(self) -> ScopedScreen:
        """Topmost full screen; dialogs over it don't count."""

    def home(self) -> None:
        """Leave every screen above the dashboard."""

    def open_job(self, task_id: str) -> None:
        """Open the page of one job."""

    def open_logs(self, task_ids: tuple[str, ...], pattern: str = "") -> None:
        """Open the log lines of `task_ids` (empty: of all running jobs) that hold `pattern`."""

    def open_why(self, task_id: str = "") -> None:
        """Open the diagnosis of the task whose id begins with `task_id`; empty: of the queue."""

    def watch_jobs(self, name: str, filter: str, manager: str = "") -> None:
        """Tell of the first failure and the end of the jobs that fit, or cease to."""

    def run_action_later(self, action: str) -> None:
        """Run a Textual action (`app.…` or `screen.…`) after the message that is handled now."""

    def use_theme(self, name: str) -> None:
        """Switch to a theme and remember it."""

    def remember(self, **changes: object) -> None:
        """Change fields of the preferences and save them."""

    def export(self, stem: str, texts: dict[str, str]) -> None:
        """Write `texts` by suffix to new files of the export folder, and notify of their names or the error."""

    def notify(self, message: str, *, severity: SeverityLevel = "information", markup: bool = True) -> None:
        """Show a message for some seconds."""
