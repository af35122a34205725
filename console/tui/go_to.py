"""Commands behind `:`: a place, a setting with its value, or any action by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from console.tui.actions import ACTIONS, BY_ID, ActionScope
from console.tui.drawing.theme import THEMES
from console.tui.state import TREND_WINDOWS
from engine.telemetry.client.replay import NO_DIAGNOSIS
from engine.telemetry.schema.messages import Answer, GetJob, Job, Refusal
from engine.telemetry.schema.query import SORTS, QueryError, parse_filter

if TYPE_CHECKING:
    from console.tui.host import Console

Verb = Callable[["Console", str], str]
"""Carries out a command; returns an error text, empty on success."""

_SHORT: Final = {
    "q": "quit",
    "res": "resources",
    "h": "help",
    "end": "cancel",
    "j": "jobs",
    "l": "logs",
    "loglevel": "log_level",
}


def go_to(console: Console, text: str) -> str:
    """Carry out one line; returns an error text, empty on success."""
    first, _, rest = text.strip().removeprefix(":").partition(" ")
    word, rest = _SHORT.get(first.lower(), first.lower()), rest.strip()
    if not word:
        return ""
    if word in VERBS:
        return VERBS[word](console, rest)
    if word in BY_ID:
        return run_action(console, word)
    return f"there is no {first}: the palette (ctrl-p) and help (?) tell what there is"


def run_action(console: Console, id: str) -> str:
    """Run an action by its id on the screen that is open; returns an error text, empty on success."""
    action = BY_ID[id]
    screen = console.top_screen
    if ActionScope.EVERYWHERE not in action.scopes and screen.scope not in action.scopes:
        return f"{id} works on the screen {action.scope.value}"
    if screen.check_action(action.method, ()) is not True:
        return f"{id} is not possible now: the console is read-only or the engine is out of reach"
    prefix = "app." if ActionScope.EVERYWHERE in action.scopes else "screen."
    console.run_action_later(prefix + action.method)
    return ""


def words(views: Iterable[str]) -> list[str]:
    """Words for completion; `views` are names of saved ones."""
    settings = [f"view {name}" for name in views]
    settings += [*(f"sort {name}" for name in SORTS), *(f"trend {name}" for name in TREND_WINDOWS)]
    return [*VERBS, *settings, *(f"theme {name}" for name in THEMES), *(action.id for action in ACTIONS)]


def _jobs(console: Console, rest: str) -> str:
    console.home()
    return _filter(console, rest) if rest else ""


def _filter(console: Console, rest: str) -> str:
    console.home()
    return console.dashboard.filter_by(rest)


def _logs(console: Console, rest: str) -> str:
    console.open_logs((), pattern=rest)
    return ""


def _sort(console: Console, rest: str) -> str:
    if rest not in SORTS:
        return f"one of {', '.join(SORTS)}"
    console.dashboard.sort_by(rest)
    return ""


def _view(console: Console, rest: str) -> str:
    views = console.state.preferences.views
    if rest not in views:
        there = f"there are {', '.join(views)}" if views else "none is saved yet"
        return f"{rest or 'a name'} is needed of a saved view: {there}; save NAME keeps what is shown"
    console.home()
    return console.dashboard.use_view(views[rest])


def _save(console: Console, rest: str) -> str:
    if not rest:
        return "under which name? save NAME keeps filter, order and columns, view NAME shows them again"
    console.remember(views={**console.state.preferences.views, rest: console.dashboard.shown_view()})
    console.notify(f"saved: view {rest} shows it again, forget {rest} drops it", markup=False)
    return ""


def _forget(console: Console, rest: str) -> str:
    views = dict(console.state.preferences.views)
    if views.pop(rest, None) is None:
        return f"there is no saved view {rest}; there are {', '.join(views) or 'none'}"
    console.remember(views=views)
    return ""


def _trend(console: Console, rest: str) -> str:
    if rest not in TREND_WINDOWS:
        return f"one of {', '.join(TREND_WINDOWS)}"
    console.dashboard.set_trend(rest)
    return ""


def _theme(console: Console, rest: str) -> str:
    if rest not in THEMES:
        return f"one of {', '.join(THEMES)}"
    console.use_theme(rest)
    return ""


def _manager(console: Console, rest: str) -> str:
    names = [manager.manager for manager in console.state.managers]
    if rest and rest not in names:
        return f"one of {', '.join(names)}, or nothing for all"
    console.dashboard.only_manager(rest)
    return ""


def _job(console: Console, rest: str) -> str:
    state = console.state

    def found(answer: Answer) -> None:
        if console.state is not state:  # another engine is shown by now
            return
        if isinstance(answer, Job):
            console.open_job(answer.record.row.task_id)
        elif isinstance(answer, Refusal):
            console.notify(answer.text, severity="warning", markup=False)

    if not rest:
        return "which one? give its task id, or the beginning of it"
    state.source.ask(GetJob(rest), found)
    return ""


def _why(console: Console, rest: str) -> str:
    if console.state.recorded:
        return NO_DIAGNOSIS
    console.open_why(rest)
    return ""


def _notify(console: Console, rest: str) -> str:
    """Of the jobs that a filter fits; without one as its key does."""
    if console.state.recorded:
        return "a recording is over: nothing more will come of it"
    if not rest:
        return run_action(console, "tell")
    try:
        parse_filter(rest)
    except QueryError as error:
        return str(error)
    console.watch_jobs(rest, rest, console.state.view.manager)
    return ""


def _concurrency(console: Console, rest: str) -> str:
    return console.control.set_concurrency(rest) if console.state.may_write else _NOT_NOW


def _budget(console: Console, rest: str) -> str:
    return console.control.set_budget(rest) if console.state.may_write else _NOT_NOW


def _log_level(console: Console, rest: str) -> str:
    return console.control.set_log_level(rest) if console.state.may_write else _NOT_NOW


_NOT_NOW: Final = "not possible now: the console is read-only or the engine is out of reach"

VERBS: Final[Mapping[str, Verb]] = {
    "jobs": _jobs,
    "logs": _logs,
    "filter": _filter,
    "sort": _sort,
    "view": _view,
    "save": _save,
    "forget": _forget,
    "trend": _trend,
    "theme": _theme,
    "manager": _manager,
    "job": _job,
    "why": _why,
    "notify": _notify,
    "concurrency": _concurrency,
    "budget": _budget,
    "log_level": _log_level,
}
