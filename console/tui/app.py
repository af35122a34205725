"""Textual app of the console: polls the source ten times a second, opens and leaves screens, owns global actions.

Screens, dialogs and the palette are imported when they are first opened, so that the first picture comes sooner.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from textual import events
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.worker import WorkType

from console.foreign_text import clean_lines
from console.tui import preferences
from console.tui.actions import ActionScope
from console.tui.drawing.theme import THEMES
from console.tui.engine_actions import LEVELS, EngineActions
from console.tui.export import write_files
from console.tui.keymap import bindings, checked_keymap
from console.tui.managers.manager_table import trouble_elsewhere
from console.tui.managers.tab import EngineTab
from console.tui.notices.notifier import Notifier
from console.tui.screens.base import NEEDS_WRITE, ConsoleScreen
from console.tui.screens.dashboard import Dashboard
from console.tui.state import ConsoleState, Quit
from console.tui.terminal_driver import TerminalDriver
from console.tui.widgets.prompt import Question
from engine.errors import ConfigError

if TYPE_CHECKING:
    from console.tui.stack.run import Run

BEAT_S: Final = 0.1
GREETING_S: Final = 20.0
LISTEN_S: Final = 1.0
SECOND_PRESS_S: Final = 3.0
"""Between two ctrl-c that leave together."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
MOUSE_MODES: Final = ("1000", "1003", "1015", "1006")


def _mode(place: int) -> str:
    """Name of the stack of screens of the engine at `place`."""
    return f"engine-{place}"


class ConsoleApp(App[Quit], inherit_bindings=False):
    """Console over any source. Its result says how it was left; its return code is 128 + n after signal n."""

    CSS_PATH = "console.tcss"
    TITLE = "scaler-batch"
    ENABLE_COMMAND_PALETTE = False  # opened by our own binding, with our own commands
    BINDINGS: ClassVar = bindings(ActionScope.EVERYWHERE)

    def __init__(
        self,
        state: ConsoleState,
        greeting: str = "",
        first: Callable[[ConsoleState], Dashboard] = Dashboard,
        others: Sequence[ConsoleState] = (),
    ) -> None:
        """`others`: engines beside that of `state`, each in a tab of its own."""
        super().__init__()
        self._greeting = greeting
        self.engines = (state, *others)
        for engine in self.engines:
            engine.several = bool(others)
        self._tabs = tuple(
            EngineTab(self, each, first, self._write_terminal, self._show_sentence) for each in self.engines
        )
        self._place = 0
        """Of the tab that is shown."""
        self.animation_level = "none"
        self._requested_end: Quit | None = None
        self._mouse_is_ours = True
        self._heard_at = float("-inf")
        self._interrupted_at = float("-inf")
        """When ctrl-c was pressed last, with no other key since."""
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = state.preferences.theme if state.preferences.theme in THEMES else "dark"

    def get_driver_class(self) -> type[Driver]:
        """On a terminal of this machine the driver that survives its end; elsewhere (a browser) Textual's choice."""
        chosen = super().get_driver_class()
        return TerminalDriver if chosen is LinuxDriver else chosen

    def on_mount(self) -> None:
        """Bind signals and keys, show the dashboard and start polling."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._end_by, number)
        self._use_keymap()
        self.state.source.poll()
        self._show_first()
        self.set_interval(BEAT_S, self._beat)
        if self._greeting:
            self.notify(self._greeting, timeout=GREETING_S, markup=False)

    def _show_first(self) -> None:
        """With several engines each has a stack of screens of its own."""
        if len(self._tabs) == 1:
            self.push_screen(self.dashboard)
            return
        for place, tab in enumerate(self._tabs):
            self.add_mode(_mode(place), partial(getattr, tab, "dashboard"))
        self.switch_mode(_mode(0))

    # ---- the engine that is shown

    @property
    def _tab(self) -> EngineTab:
        return self._tabs[self._place]

    @property
    def state(self) -> ConsoleState:
        """State of the engine that is shown."""
        return self._tab.state

    @property
    def control(self) -> EngineActions:
        """Requests that change the engine that is shown."""
        return self._tab.control

    @property
    def dashboard(self) -> Dashboard:
        """First screen of the engine that is shown."""
        return self._tab.dashboard

    @property
    def notifier(self) -> Notifier:
        """Notifications about the engine that is shown."""
        return self._tab.notifier

    def show_engine(self, place: int, manager: str = "") -> None:
        """Show the dashboard of another engine, with one worker manager's jobs, or those of all when it is empty."""
        if self.top_screen.shows_all_engines:
            self._leave()
        self._switch_to(place)
        self.home()
        self.dashboard.only_manager(manager)

    def action_other_engine(self, by: int) -> None:
        """Show the next engine (1), or the one before (-1), where it was left.

        No key gets here from a dialog: what that asks is about the engine behind it.
        """
        if len(self._tabs) == 1:
            self.notify("this console has one engine: attach takes several, or --all")
        else:
            self._switch_to((self._place + by) % len(self._tabs))

    def _switch_to(self, place: int) -> None:
        if place != self._place:
            self._place = place
            self._note_elsewhere()
            self.switch_mode(_mode(place))

    def _end_by(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _use_keymap(self) -> None:
        try:
            self.set_keymap(checked_keymap(self.state.preferences.keymap))
        except ConfigError as error:
            self.notify(f"{error}; the usual keys are used", severity="warning", markup=False)

    def _beat(self) -> None:
        changed = [tab.poll() for tab in self._tabs]
        screen = self.top_screen
        self._note_elsewhere()
        screen.beat(any(changed) if screen.shows_all_engines else changed[self._place])
        self._hear_own()
        self.notifier.beat()
        for tab in self._tabs:
            if tab is not self._tab:
                tab.rest()
        if self._requested_end and self.state.own and self.state.own.ended():  # an idle one may be gone unanswered
            self.exit(self._requested_end)

    def _note_elsewhere(self) -> None:
        if len(self._tabs) > 1:
            self.state.elsewhere = trouble_elsewhere(self.engines, self._place)

    def _hear_own(self) -> None:
        """Show what the own engine has printed since the last look, and keep all of it for the help."""
        own, now = self.state.own, self.state.clock()
        if own is None or now - self._heard_at < LISTEN_S:
            return
        self._heard_at = now
        said = own.said()
        if new := said[len(self.state.place) :].strip():
            self.notify(clean_lines(new), timeout=GREETING_S, markup=False)
        self.state.place = said

    @property
    def top_screen(self) -> ConsoleScreen:
        """Topmost full screen; dialogs over it don't count."""
        screens = (screen for screen in reversed(self.screen_stack) if isinstance(screen, ConsoleScreen))
        return next(screens, self.dashboard)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None, by which Textual neither runs nor offers it, for an action that needs a writable engine now."""
        if action in NEEDS_WRITE and not self.state.may_write:
            return None
        return True

    def run_action_later(self, action: str) -> None:
        """Run a Textual action (`app.…` or `screen.…`) after the message that is handled now."""
        self.call_later(self.run_action, action)

    # ---- places

    def home(self) -> None:
        """Leave every screen above the dashboard."""
        while self.top_screen is not self.dashboard:
            self._leave()

    def open_job(self, task_id: str) -> None:
        """Open the page of one job."""
        from console.tui.screens.job import JobScreen

        self._open(lambda: JobScreen(self.state, task_id))

    def open_logs(self, task_ids: tuple[str, ...], pattern: str = "") -> None:
        """Open the log lines of `task_ids` (empty: of all running jobs) that hold `pattern`."""
        from console.tui.screens.logs import LogsScreen

        self._open(lambda: LogsScreen(self.state, task_ids, pattern))

    def open_why(self, task_id: str = "") -> None:
        """Open the diagnosis of the task whose id begins with `task_id`; empty: of the queue."""
        from console.tui.screens.why import WhyScreen

        self._open(lambda: WhyScreen(self.state, task_id))

    def action_engine(self) -> None:
        """Open the engine's own health."""
        from console.tui.health.screen import EngineScreen

        if not isinstance(self.top_screen, EngineScreen):
            self._open(lambda: EngineScreen(self.state))

    def action_resources(self) -> None:
        """Open the AWS resources."""
        from console.tui.screens.resources import ResourcesScreen

        if not isinstance(self.top_screen, ResourcesScreen):
            self._open(lambda: ResourcesScreen(self.state))

    def action_failures(self) -> None:
        """Open the failures by function and cause."""
        from console.tui.failures.screen import FailuresScreen

        if not isinstance(self.top_screen, FailuresScreen):
            self._open(lambda: FailuresScreen(self.state))

    def action_events(self) -> None:
        """Open the events of the engine."""
        from console.tui.journal.screen import JournalScreen

        if not isinstance(self.top_screen, JournalScreen):
            self._open(lambda: JournalScreen(self.state))

    def action_managers(self) -> None:
        """Open all engines and worker managers."""
        from console.tui.managers.screen import ManagersScreen

        if not isinstance(self.top_screen, ManagersScreen):
            self._open(lambda: ManagersScreen(self.state))

    def action_lanes(self) -> None:
        """Open the lanes."""
        from console.tui.lanes.screen import LanesScreen

        if not isinstance(self.top_screen, LanesScreen):
            self._open(lambda: LanesScreen(self.state))

    def _open(self, place: Callable[[], ConsoleScreen]) -> None:
        screen = place()
        screen.place = place
        self._tab.behind = None
        self.push_screen(screen)

    def _leave(self) -> None:
        self._tab.behind = self.top_screen.place
        self.pop_screen()

    async def action_back(self) -> None:
        """Take messages away, or undo the innermost thing on the screen (zoom, filter), or leave the screen."""
        if self._notifications:
            self.clear_notifications()
        elif not self.top_screen.step_back() and self.top_screen is not self.dashboard:
            self._leave()

    def action_previous(self) -> None:
        """Reopen the screen that was left last, or leave this one."""
        if self._tab.behind is not None:
            self._open(self._tab.behind)
        elif self.top_screen is not self.dashboard:
            self._leave()

    # ---- what works everywhere

    def action_help(self) -> None:
        """Show the keys of the screen."""
        from console.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.top_screen))

    def action_go(self) -> None:
        """Prompt for a place or a command."""
        from console.tui.go_to import go_to, words

        self.top_screen.ask_line(
            Question(
                ":",
                lambda text: go_to(self, text),
                words=words(self.state.preferences.views),
                placeholder="jobs, logs, view NAME",
                kept_as="go",
            )
        )

    def action_palette(self) -> None:
        """Open the command palette."""
        from console.tui.palette import Palette

        self.push_screen(Palette())

    def action_next_pane(self) -> None:
        """Focus the next pane."""
        self.top_screen.focus_next()

    def action_previous_pane(self) -> None:
        """Focus the pane before."""
        self.top_screen.focus_previous()

    def action_freeze(self) -> None:
        """Freeze the picture, or let it go on."""
        if self.state.frozen_at is None:
            self.state.freeze(self.state.time_of_day())
        else:
            self.state.thaw()
        self.top_screen.show_all()

    def action_read_now(self) -> None:
        """Send every polled request of the screen again."""
        self.top_screen.read_now()
        self.top_screen.show_all()

    def action_theme(self) -> None:
        """Switch to the next theme."""
        names = list(THEMES)
        self.use_theme(names[(names.index(self.theme) + 1) % len(names)])

    def use_theme(self, name: str) -> None:
        """Switch to a theme and remember it."""
        self.theme = name
        self.remember(theme=name)

    async def action_quit(self) -> None:
        """Leave the console; where something would end with it, after a dialog."""
        from console.tui.screens.confirm_stack import confirm_quit_running
        from console.tui.screens.quit import quit_dialog, quit_local_dialog

        own = self.state.own
        busy = self.state.busy
        if (run := self._run_under_way) is not None:
            self.push_screen(confirm_quit_running(run), lambda sure: self._stop_and_quit(run) if sure else None)
        elif own is None or own.ended():
            self.exit()
        elif own.tied:
            self.push_screen(quit_local_dialog(busy=busy, place=self.state.place), self._quit_local)
        else:
            self.push_screen(quit_dialog(self.state.engine_name, busy=busy), self._quit)

    def _is_second_press(self, key: events.Key) -> bool:
        """True for a ctrl-c after another one: at once, or over a dialog, which says so."""
        if key.key != "ctrl+c":
            self._interrupted_at = float("-inf")
            return False
        before, self._interrupted_at = self._interrupted_at, key.time
        return key.time - before < (SECOND_PRESS_S if self.screen is self.top_screen else float("inf"))

    def _leave_now(self) -> None:
        """Leave without asking: an engine that can go on does, a cluster that can't drains; a run is stopped first."""
        choice = None if self.state.own is None else Quit.DRAIN if self.state.own.tied else Quit.LEAVE
        if (run := self._run_under_way) is not None:

            async def stop() -> None:
                await run.stop()
                self.exit(choice)

            work: WorkType[None] = stop
            self.run_worker(work, group="stop")
        else:
            self.exit(choice)

    @property
    def _run_under_way(self) -> Run | None:
        """Run under way of any engine."""
        return next((run for engine in self.engines if (run := engine.run_under_way) is not None), None)

    def _stop_and_quit(self, run: Run) -> None:
        async def stop() -> None:
            await run.stop()
            await self.action_quit()

        self.notify(f"{run.name} is being stopped")
        work: WorkType[None] = stop
        self.run_worker(work, group="stop")

    def _quit_local(self, choice: Quit | None) -> None:
        """Where nothing runs it ends in good order: a drain of nothing takes no time."""
        if choice is not None:
            self.exit(choice if self.state.busy else Quit.DRAIN)

    def _quit(self, choice: Quit | None) -> None:
        if choice is Quit.LEAVE:
            self.exit(choice)
        elif choice is not None:
            self._requested_end = choice
            self.control.end(choice.value, lambda: self.exit(choice))

    # ---- what changes the engine and has no key

    def action_drain(self) -> None:
        """Drain the engine, after a dialog."""
        self.control.drain()

    def action_concurrency(self) -> None:
        """Prompt for the bound of jobs under way."""
        self.top_screen.ask_line(Question("jobs under way at most:", self.control.set_concurrency))

    def action_budget(self) -> None:
        """Prompt for what jobs may cost."""
        self.top_screen.ask_line(Question("budget (80, 400vcpuh or off):", self.control.set_budget))

    def action_log_level(self) -> None:
        """Prompt for the engine's log level."""
        self.top_screen.ask_line(Question("log level:", self.control.set_log_level, words=LEVELS))

    # ---- the terminal

    def action_mouse(self) -> None:
        """Leave the mouse to the terminal until a key is pressed."""
        self._take_mouse(False)
        self.notify("the mouse is the terminal's: select and copy; any key takes it back")

    def watch_jobs(self, name: str, filter: str, manager: str = "") -> None:
        """Tell of the first failure and the end of the jobs that fit, or cease to."""
        self.notifier.watches.toggle(name, filter, manager)

    def on_unmount(self) -> None:
        """Give the terminal back what was the window's title."""
        for tab in self._tabs:
            tab.notifier.close()

    def _show_sentence(self, text: str) -> None:
        self.notify(text, timeout=10.0, markup=False)

    def _write_terminal(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    def _take_mouse(self, ours: bool) -> None:
        changes, self._mouse_is_ours = ours != self._mouse_is_ours, ours
        if changes:
            self._write_terminal("".join(f"\x1b[?{mode}{'h' if ours else 'l'}" for mode in MOUSE_MODES))

    async def on_event(self, event: events.Event) -> None:
        """Give keys to a prompt that has just been opened, before Textual dispatches them."""
        if isinstance(event, events.Key):
            self._take_mouse(True)
            if self._is_second_press(event):
                self._leave_now()
                return
            if event.is_forwarded and self.screen is self.top_screen and self.top_screen.offer_to_prompt(event):
                return
        await super().on_event(event)

    # ---- keeping and taking away

    def remember(self, **changes: object) -> None:
        """Change fields of the preferences, of all engines alike, and save them."""
        for engine in self.engines:
            engine.preferences = msgspec.structs.replace(engine.preferences, **changes)
        if self.state.preferences_file is not None:
            preferences.save(self.state.preferences_file, self.state.preferences)

    def export(self, stem: str, texts: dict[str, str]) -> None:
        """Write `texts` by suffix to files with a time in their names, in the export folder."""
        name = f"scaler-batch-{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
        try:
            files = write_files(self.state.export_folder, name, texts)
        except OSError as error:
            self.notify(f"nothing was written: {error}", severity="error", markup=False)
        else:
            self.notify("written: " + ", ".join(map(str, files)), markup=False)
