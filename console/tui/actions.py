"""Table of the console's actions: the keys, the help, the key bar, the palette and read-only mode are made from it.

Owns no behaviour: `Action.method` names what carries an action out on the screen (or app) of its scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final


class ActionScope(StrEnum):
    """Screens on which an action's keys are bound."""

    EVERYWHERE = "everywhere"
    DASHBOARD = "dashboard"
    JOB = "job"
    LOGS = "logs"
    WHY = "why"
    ENGINE = "engine"
    RESOURCES = "resources"
    REPLAY = "replay"
    FAILURES = "failures"
    JOURNAL = "events"
    LANES = "lanes"
    MANAGERS = "managers"


class Danger(Enum):
    """Damage that a slip of the finger could do."""

    NONE = 0
    CHANGES = 1
    """Changes the engine; can be changed back."""
    DESTROYS = 2
    """Ends work; always behind a dialog."""


@dataclass(frozen=True, slots=True)
class Action:
    """Action of the user. `keys` are Textual's names, the first is the one shown; none: through the palette only.

    `hint` is its word on the key bar, empty when it isn't there. `places` are the other scopes that have it too.
    """

    id: str
    keys: tuple[str, ...]
    method: str
    title: str
    scope: ActionScope
    hint: str = ""
    danger: Danger = Danger.NONE
    needs_write: bool = False
    needs_engine: bool = False
    """A recording can't do it."""
    places: tuple[ActionScope, ...] = ()

    @property
    def scopes(self) -> tuple[ActionScope, ...]:
        """All scopes that have the action, its own first."""
        return (self.scope, *self.places)


_ALL, _DASH, _JOB, _LOGS, _REPLAY = (
    ActionScope.EVERYWHERE,
    ActionScope.DASHBOARD,
    ActionScope.JOB,
    ActionScope.LOGS,
    ActionScope.REPLAY,
)
_WHY: Final = ActionScope.WHY
_RES: Final = ActionScope.RESOURCES
_FAILURES: Final = ActionScope.FAILURES
_JOURNAL: Final = ActionScope.JOURNAL
_LANES: Final = ActionScope.LANES
_MANAGERS: Final = ActionScope.MANAGERS

PANES: Final = ("states", "jobs", "routing", "quota", "logs")
"""Panes of the dashboard; a pane's digit is its position here, from 1."""

ACTIONS: Final = (
    Action("help", ("question_mark",), "help", "Show all keys", _ALL, "help"),
    Action("go", ("colon",), "go", "Go to a place, or run a command by its name", _ALL, "go to"),
    Action("palette", ("ctrl+p",), "palette", "Find a command", _ALL),
    Action("back", ("escape",), "back", "One step back: message, prompt, filter, zoom, screen", _ALL),
    Action("previous", ("minus",), "previous", "To the place before, and again back", _ALL),
    Action("next_pane", ("tab",), "next_pane", "Next pane", _ALL),
    Action("previous_pane", ("shift+tab",), "previous_pane", "Pane before", _ALL),
    Action("freeze", ("p",), "freeze", "Freeze the picture, and let it go", _ALL, "freeze"),
    Action("read_now", ("r",), "read_now", "Read everything anew", _ALL),
    Action("resources", ("R",), "resources", "AWS resources: what lives, what differs, what would change", _ALL),
    Action("failures", ("F",), "failures", "Failures by function and cause, with a sample's log", _ALL),
    Action("events", ("E",), "events", "Events: what happened, when, and by whom", _ALL),
    Action("lanes", ("T",), "lanes", "Lanes: what ran when, by slot, host or function", _ALL),
    Action("managers", ("A",), "managers", "All engines and worker managers: light, queue, slots", _ALL),
    Action("next_engine", ("right_parenthesis",), "other_engine(1)", "Next engine, where there are several", _ALL),
    Action("engine_before", ("left_parenthesis",), "other_engine(-1)", "Engine before", _ALL),
    Action("mouse", ("M",), "mouse", "Give the mouse to the terminal, to select and copy; any key takes it", _ALL),
    Action("quit", ("q", "ctrl+c"), "quit", "Quit; ctrl-c twice leaves from anywhere, without asking", _ALL, "quit"),
    # moving, in whatever has lines
    *(
        Action(
            id, keys, f"move('{id}')", title, _DASH,
            places=(_JOB, _LOGS, _WHY, _RES, ActionScope.ENGINE, _FAILURES, _JOURNAL, _LANES, _MANAGERS),
        )
        for id, keys, title in (
            ("down", ("j", "down"), "One line down"),
            ("up", ("k", "up"), "One line up"),
            ("page_down", ("ctrl+d", "pagedown"), "Half a page down"),
            ("page_up", ("ctrl+u", "pageup"), "Half a page up"),
            ("top", ("g", "home"), "To the first line"),
            ("bottom", ("G", "end"), "To the last line; a log is followed from there"),
        )
    ),
    # the dashboard
    Action("filter", ("slash",), "filter", "Narrow the jobs (esc clears)", _DASH, "filter", places=(_LANES,)),
    Action("detail", ("enter",), "detail", "All about the selected job; of a group its jobs", _DASH, "detail",
        places=(_FAILURES, _JOURNAL, _LANES, _MANAGERS),
    ),
    Action("group", ("b",), "group", "Group the jobs by function, submission, client, reason, or not", _DASH, "group"),
    Action(
        "tell", ("n",), "tell", "Tell me of the first failure and the end: of the group, the job or the filter", _DASH,
        needs_engine=True, places=(_JOB,),
    ),
    Action("follow", ("f",), "follow", "Follow the newest log line, or stay", _DASH, places=(_LOGS,)),
    Action("logs", ("l",), "logs", "Log lines: of the marked or the selected job", _DASH, "logs",
        places=(_JOB, _FAILURES, _LANES),
    ),
    Action("all_logs", ("L",), "all_logs", "Log lines of all running jobs", _DASH, places=(_JOB,)),
    Action(
        "why", ("w",), "why", "Why the selected job waits; with none selected: why the queue does", _DASH, "why",
        needs_engine=True, places=(_JOB,),
    ),
    Action("mark", ("space",), "mark", "Mark or unmark the selected job", _DASH, "mark"),
    Action("mark_range", ("V",), "mark_range", "Mark from the last marked job to the selected one", _DASH),
    Action("mark_all", ("asterisk",), "mark_all", "Mark all jobs that are listed; with marks: none", _DASH),
    Action("next_state", ("right_square_bracket",), "next_state", "To the first job of the next state", _DASH),
    Action("previous_state", ("left_square_bracket",), "previous_state", "To the first job of the state before", _DASH),
    Action("sort", ("S",), "sort", "Next order of the jobs", _DASH, "sort"),
    Action("reverse", ("I",), "reverse", "Turn the order around", _DASH),
    Action("columns", ("c",), "columns", "Which columns are shown", _DASH),
    Action("trend", ("t",), "trend", "Trends over 5 minutes, 1 hour, 24 hours", _DASH),
    Action("manager", ("m",), "manager", "Only one worker manager, the next, or all", _DASH),
    Action("zoom", ("z",), "zoom", "The focused pane alone, and back", _DASH, "zoom", places=(_WHY,)),
    Action("grow", ("plus",), "grow(1)", "More room for the focused pane", _DASH),
    Action("shrink", ("underscore",), "grow(-1)", "Less room for the focused pane", _DASH),
    *(
        Action(f"pane_{number}", (str(number),), f"pane({number})", f"Show or hide the pane {name}", _DASH)
        for number, name in enumerate(PANES, 1)
    ),
    Action("copy", ("y",), "copy", "Copy the id", _DASH, "copy", places=(_JOB, _FAILURES, _JOURNAL, _LANES)),
    Action("copy_all", ("Y",), "copy_all", "Copy everything known, as JSON", _DASH, places=(_JOB, _WHY)),
    Action(
        "console_urls", ("o",), "console_urls", "Print the URLs of its log and its job in AWS's console", _DASH,
        needs_engine=True, places=(_JOB, _LOGS),
    ),
    Action("export", ("e",), "export", "Write what is shown to files", _DASH, places=(_JOB, _LOGS, _WHY)),
    Action(
        "acknowledge", ("a",), "acknowledge", "Acknowledge the failures so far, for all consoles", _DASH,
        needs_write=True, places=(_FAILURES,),
    ),
    Action(
        "cancel", ("K",), "cancel", "End the marked or the selected jobs", _DASH, "end",
        Danger.DESTROYS, True, places=(_JOB,),
    ),
    # one job
    Action("json", ("J",), "json", "Batch's own description, and back", _JOB, "json"),
    # log lines
    Action("search", ("slash",), "search", "Find a text in the lines that are here", _LOGS, "find"),
    Action("log_filter", ("backslash",), "log_filter", "Only lines that hold a text (esc clears)", _LOGS, "filter"),
    Action("next_hit", ("n",), "next_hit", "Next line found", _LOGS),
    Action("previous_hit", ("N",), "previous_hit", "Line found before", _LOGS),
    Action("wrap", ("w",), "wrap", "Wrap long lines", _LOGS, "wrap"),
    Action("times", ("t",), "times", "Show or hide the times", _LOGS, "times"),
    *(
        Action(f"level_{number}", (str(number),), f"level({number})", f"Lines of level {name} and above", _LOGS)
        for number, name in enumerate(("DEBUG (all)", "INFO", "WARNING", "ERROR"), 1)
    ),
    Action("copy_line", ("y",), "copy_line", "Copy the lines on screen", _LOGS, "copy"),
    Action("copy_lines", ("Y",), "copy_lines", "Copy all lines that are kept", _LOGS),
    Action("pager", ("vertical_line",), "pager", "All lines that are listed, in $PAGER", _LOGS, "pager"),
    # why something waits
    Action("copy_command", ("y",), "copy_command", "Copy the command of what can be done", _WHY, "copy command"),
    # AWS resources
    Action("diff", ("d",), "diff", "Where the selected resource differs, and back", _RES, "diff"),
    Action("copy_arn", ("y",), "copy_arn", "Copy the ARN", _RES, "copy ARN"),
    Action("copy_cli", ("Y",), "copy_cli", "Copy the command of the AWS CLI that tells of it", _RES, "copy CLI"),
    Action(
        "provision", ("P",), "provision", "Provision: do what its plan says", _RES, "provision", Danger.CHANGES, True
    ),
    Action("cleanup", ("C",), "cleanup", "Clean up: delete the stack", _RES, "cleanup", Danger.DESTROYS, True),
    Action(
        "build_image", ("B",), "build_image", "Build the workers' image, and push it", _RES, "build image",
        Danger.CHANGES, True,
    ),
    Action("stop_run", ("X",), "stop_run", "Stop what is under way", _RES, "stop", Danger.CHANGES),
    # events
    Action("earlier", ("less_than_sign",), "earlier", "Event before, and its moment in a recording", _JOURNAL, "back"),
    Action("later", ("greater_than_sign",), "later", "Next event, and its moment in a recording", _JOURNAL, "on"),
    # lanes
    Action("lanes_by", ("b",), "lanes_by", "Lanes by slot, by host, by function", _LANES, "by"),
    Action("job_before", ("left",), "step(-1)", "Job before in the lane", _LANES),
    Action("job_behind", ("right",), "step(1)", "Next job of the lane", _LANES),
    Action("zoom_in", ("plus",), "scale(1)", "Less time, around the selected job", _LANES, "zoom"),
    Action("zoom_out", ("underscore",), "scale(-1)", "More time", _LANES),
    Action("time_back", ("less_than_sign",), "shift(-1)", "Half a window back in time", _LANES, "back"),
    Action("time_on", ("greater_than_sign",), "shift(1)", "Half a window on in time", _LANES),
    Action("present", ("f",), "present", "Follow the present", _LANES, "now"),
    Action("whole", ("z",), "whole", "All the time that is kept", _LANES, "all"),
    # a recording
    Action("pause", ("P",), "pause", "Stop and go on", _REPLAY, "play"),
    Action("faster", ("right_curly_bracket",), "faster", "Twice as fast", _REPLAY),
    Action("slower", ("left_curly_bracket",), "slower", "Half as fast", _REPLAY),
    Action("forward", ("greater_than_sign",), "forward", "One minute on", _REPLAY, "+1 min"),
    Action("rewind", ("less_than_sign",), "rewind", "One minute back", _REPLAY, "-1 min"),
    # without keys: nothing that a slip should reach
    Action(
        "drain", (), "drain", "Drain: start nothing more, let finish what runs, then end", _ALL,
        danger=Danger.DESTROYS, needs_write=True,
    ),
    Action(
        "concurrency", (), "concurrency", "Change how many jobs may be under way", _ALL,
        danger=Danger.CHANGES, needs_write=True,
    ),
    Action(
        "budget", (), "budget", "Change what jobs may cost: 80, 400vcpuh, or off", _ALL,
        danger=Danger.CHANGES, needs_write=True,
    ),
    Action(
        "log_level", (), "log_level", "Change the engine's log level", _ALL, danger=Danger.CHANGES, needs_write=True
    ),
    Action("engine", (), "engine", "The engine: its links, their ages and errors, its process and its calls", _ALL),
    Action("theme", (), "theme", "Next theme: dark, light, and two in the terminal's own colours", _ALL),
)  # fmt: skip

BY_ID: Final[Mapping[str, Action]] = {action.id: action for action in ACTIONS}


def actions_in(scope: ActionScope) -> tuple[Action, ...]:
    """Actions of a scope, in the table's order."""
    return tuple(action for action in ACTIONS if scope in action.scopes)
