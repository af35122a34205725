"""Base of all full screens: top bar, key bar, prompt, size check, and the beat.

The app calls `beat` ten times a second on the topmost full screen, and on no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from console import format
from console.tui.actions import ACTIONS, BY_ID, Action, ActionScope, actions_in
from console.tui.health.alerts import Alert, alerts_of
from console.tui.keymap import key_label
from console.tui.layout.small import SMALLEST, SmallPane, is_too_small
from console.tui.polling import PolledRequest
from console.tui.state import ConsoleState
from console.tui.widgets.alert_line import alert_lines
from console.tui.widgets.key_bar import Hint, KeyBar
from console.tui.widgets.prompt import Prompt, Question
from console.tui.widgets.top_bar import AccessMode, BarState, TopBar
from engine.telemetry.client.source import LinkView

if TYPE_CHECKING:
    from console.tui.host import Console

PROMPT_HINTS: Final = (
    Hint("enter", "take it", ""),
    Hint("up", "earlier", ""),
    Hint("right", "complete", ""),
    Hint("esc", "leave", ""),
)
HOME_CELLS: Final = len(" BATCH > jobs")
"""Crumbs of the top bar that lead to the dashboard."""
HISTORY: Final = 30
"""Answers to one question that are kept."""
SLIM: Final = 140
"""Cells below which panes stand below each other rather than side by side."""
TALL: Final = 50
ALERT_LINES: Final = 2
AROUND_ALERTS: Final = 8
"""Lines of a screen that is too small for panes: its alerts at least, and what is not alerts: bars, states, size."""
NEEDS_WRITE: Final = frozenset(action.method for action in ACTIONS if action.needs_write)
NEEDS_ENGINE: Final = frozenset(action.method for action in ACTIONS if action.needs_engine)


class WhyNot(StrEnum):
    """Reason why nothing can be changed at present."""

    READ_ONLY = "this console is read-only: attach with --allow-writes"
    AWAY = "the engine is out of reach: nothing can be changed now"
    TOO_SMALL = "the screen is too small to see what would be changed"
    NOT_HERE = "no jobs are listed here to act on: enter opens a group, b lists the jobs"

    @property
    def short(self) -> str:
        """Word for the key bar."""
        return "ro" if self is WhyNot.READ_ONLY else "off"


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """Full screen. A subclass composes its panes in `panes`, fills them in `show`, and moves in them in `move`."""

    scope: ClassVar[ActionScope]
    AUTO_FOCUS = ""
    shows_all_engines: ClassVar[bool] = False
    """It is drawn anew when any engine of the console sent something."""
    place: Callable[[], ConsoleScreen] | None = None
    """Makes this screen again, after it was left."""

    def __init__(self, state: ConsoleState) -> None:
        super().__init__()
        self.state = state
        self.top_bar = TopBar(glyphs=state.glyphs)
        self.key_bar = KeyBar(glyphs=state.glyphs)
        self.small = SmallPane(glyphs=state.glyphs, id="too-small")
        self._shown_link: LinkView | None = None
        self._second = 0
        self._may_write = False

    @property
    def console(self) -> Console:
        """App that the screen belongs to."""
        return self.app  # type: ignore[return-value]

    # ---- for subclasses

    def panes(self) -> ComposeResult:
        """Compose the panes between top bar and key bar."""
        raise NotImplementedError

    def trail(self) -> tuple[str, ...]:
        """Breadcrumbs for the top bar."""
        return ()

    def own_actions(self) -> Sequence[Action]:
        """Actions of this screen, in the key bar's order."""
        return actions_in(self.scope)

    def own_hints(self) -> Mapping[str, str]:
        """Words on the key bar, by action id, where they differ from the table's."""
        return {}

    def questions(self) -> Sequence[PolledRequest]:
        """Requests that are polled while this screen is open."""
        return ()

    def read_now(self) -> None:
        """Send every polled request again at once."""
        for question in self.questions():
            question.reset()

    def show(self) -> None:
        """Fill the panes from the state."""

    def move(self, how: str) -> None:
        """Move in the focused pane: `down`, `up`, `page_down`, `page_up`, `top` or `bottom`."""

    def step_back(self) -> bool:
        """Undo the innermost thing (zoom, filter); False when there is none and the screen itself is to be left."""
        return False

    # ---- Textual

    def compose(self) -> ComposeResult:
        """Compose top bar, panes, size message and key bar."""
        yield self.top_bar
        yield from self.panes()
        yield self.small
        yield self.key_bar

    def on_mount(self) -> None:
        """Fill everything for the first time."""
        self.show_all()

    def on_screen_resume(self) -> None:
        """Fill everything when the screen is on top again."""
        self.show_all()

    def on_resize(self, event: events.Resize) -> None:
        """Set the classes by which the stylesheet fits panes to the size."""
        width, height = event.size
        self.set_class(is_too_small(event.size), "-too-small")
        self.set_class(width < 100, "-narrow")
        self.set_class(width < SLIM, "-slim")
        self.set_class(height < 30, "-short")
        self.set_class(height >= TALL, "-tall")
        self.small.needed = f"{width}x{height}: too small to act, needs {SMALLEST[0]}x{SMALLEST[1]}"
        self.call_after_refresh(self.show_all)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None: shown as not allowed, and not carried out. False: there is no such action here."""
        if action in NEEDS_ENGINE and self.state.recorded:
            return False
        if action in NEEDS_WRITE and (not self.state.may_write or self.has_class("-too-small")):
            return None
        return True

    # ---- the beat

    def beat(self, changed: bool) -> None:
        """Poll and redraw; called ten times a second. `changed`: the replica or the link did."""
        if self.state.frozen_at is None:
            if changed:
                self.show()
                self._show_small()
            now = self.state.clock()
            for question in self.questions():
                question.poll(now)
        self._show_bars()

    def show_all(self) -> None:
        """Fill panes and bars now."""
        if not self.is_mounted:
            return
        self.show()
        self._show_small()
        self._second = 0
        self._show_bars()

    def _show_small(self) -> None:
        if self.has_class("-too-small"):
            state = self.state
            elsewhere = [Alert("error", state.elsewhere)] if state.elsewhere else []
            told = [*elsewhere, *alerts_of(state)]
            most = max(ALERT_LINES, self.size.height - AROUND_ALERTS)
            lines = alert_lines(told, self.size.width, most, state.glyphs, with_keys=False)
            self.small.show(state.replica.snapshot, manager=state.view.manager, alerts=lines, stale=state.stale)

    def _show_bars(self) -> None:
        now, link = self.state.time_of_day(), self.state.source.link
        if int(now) == self._second and link == self._shown_link and self._may_write == self.state.may_write:
            return
        self._second, self._shown_link, self._may_write = int(now), link, self.state.may_write
        self.top_bar.show(bar_state(self.state, self.trail(), now))
        self.key_bar.show(tuple(self._hints()))

    def _hints(self) -> Iterator[Hint]:
        if isinstance(self.focused, Input):
            yield from PROMPT_HINTS
            return
        keys = keys_of(self)
        common, other = actions_in(ActionScope.EVERYWHERE), self.own_hints()
        if self.has_class("-too-small"):
            common = tuple(action for action in common if action.id in ("help", "quit"))
        for action in (*common[:1], *(() if self.has_class("-too-small") else self.own_actions()), *common[1:]):
            if action.hint and action.id in keys and not (action.needs_write and self.state.recorded):
                call = f"app.{action.method}" if action.scope is ActionScope.EVERYWHERE else action.method
                why_not = None if self.check_action(action.method, ()) is True else self._why_not(action)
                if why_not is not WhyNot.NOT_HERE:
                    short = why_not.short if why_not else ""
                    yield Hint(keys[action.id][0], other.get(action.id, action.hint), call, short)

    def _why_not(self, action: Action) -> WhyNot:
        """Reason why the action can't be carried out at present."""
        if not action.needs_write or (self.state.may_write and not self.has_class("-too-small")):
            return WhyNot.NOT_HERE
        if self.has_class("-too-small"):
            return WhyNot.TOO_SMALL
        return WhyNot.AWAY if self.state.source.may_control else WhyNot.READ_ONLY

    def on_click(self, event: events.Click) -> None:
        """Go home from the first crumb."""
        if event.widget is self.top_bar and event.x < HOME_CELLS:
            self.console.home()

    def on_key(self, event: events.Key) -> None:
        """Say why a key that changes something does nothing now: Textual drops it without a word."""
        active = self.active_bindings.get(event.key)
        action = BY_ID.get(active.binding.id or "") if active and not active.enabled else None
        if action and action.needs_write:
            key = key_label(event.key, ascii=self.state.glyphs.ascii)
            self.notify(f"{key}: {self._why_not(action).value}", severity="warning")

    # ---- what all screens do

    def ask_line(self, question: Question) -> None:
        """Open the prompt, in the place of one that may be open."""
        for prompt in self.query(Prompt):
            prompt.close()
        self.mount(Prompt(self._with_history(question), back_to=self.focused), before=self.key_bar)

    def _with_history(self, question: Question) -> Question:
        """Question that steps through what was answered before, and keeps what is answered now."""
        if not question.kept_as:
            return question

        def submit(text: str) -> str:
            wrong = question.submit(text)
            if not wrong and text:
                self._remember(question.kept_as, text)
            return wrong

        return replace(question, submit=submit, history=self.state.preferences.history.get(question.kept_as, ()))

    def _remember(self, name: str, text: str) -> None:
        history = self.state.preferences.history
        kept = [each for each in history.get(name, ()) if each != text]
        self.console.remember(history={**history, name: (*kept, text)[-HISTORY:]})

    def offer_to_prompt(self, key: events.Key) -> bool:
        """True when a prompt that has just been opened took the key, which nothing else has used yet."""
        return any(prompt.accept(key) for prompt in self.query(Prompt))

    def on_descendant_focus(self) -> None:
        """Have the key bar drawn at the next beat: other keys are bound now."""
        self._second = 0  # other keys are listened to now: the bar tells them at the next beat

    def action_move(self, how: str) -> None:
        """Move in the focused pane and redraw."""
        self.move(how)
        self.show()


def keys_of(screen: ConsoleScreen) -> dict[str, list[str]]:
    """Labels of the keys that are bound at this moment, by action id."""
    keys: dict[str, list[str]] = {}
    for key, active in screen.active_bindings.items():
        if active.binding.id:
            keys.setdefault(active.binding.id, []).append(key_label(key, ascii=screen.state.glyphs.ascii))
    return keys


def bar_state(state: ConsoleState, trail: tuple[str, ...], now: float) -> BarState:
    """Top bar's content. `now`: time of day."""
    source = state.source
    mode = AccessMode.READ_WRITE if source.may_control else AccessMode.READ_ONLY
    light = state.light
    has_snapshot = source.replica.snapshot is not None
    regions = sorted({manager.region for manager in state.managers})
    managers = state.view.manager or (state.managers[0].name if len(state.managers) == 1 else "")
    return BarState(
        trail=(state.engine_name, *trail) if state.several else trail,
        where=" ".join(regions),
        manager=managers or (f"{len(state.managers)} managers" if state.managers else ""),
        engine="" if state.several else state.engine_name,
        link=source.link,
        age_s=state.clock() - source.replica.received_at if has_snapshot else None,
        mode=mode,
        note=_note(state),
        clock_at=now,
        light=light,
        light_age_s=None if light.since is None else state.engine_now - light.since,
    )


def _note(state: ConsoleState) -> str:
    if state.frozen_at is not None:
        return f"FROZEN {format.clock(state.frozen_at)}"
    left = [manager.tasks_left for manager in state.shown_managers if manager.draining]
    own = f"DRAINING {format.count(sum(left))} left" if left else ""
    return "  ".join(filter(None, (own, state.elsewhere)))
