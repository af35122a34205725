"""Quit dialogs: choices for an engine that this console started."""

from __future__ import annotations

from typing import Final

from console.foreign_text import clean
from console.tui.screens.dialog import GLUE, Dialog, Option, facts
from console.tui.state import Quit

_DRAIN: Final = Option("d", "Drain", Quit.DRAIN, dangerous=True)
_STOP: Final = Option("S", "Stop now", Quit.TERMINATE, dangerous=True)


def quit_dialog(engine: str, *, busy: bool) -> Dialog[Quit]:
    """Dialog for an engine that can go on without the console. `busy`: it has tasks, so that a drain takes time."""
    command = f"scaler-batch attach {clean(engine)} --allow-writes"
    details = {
        "leave": f"it runs on; come back with {command.replace(' ', GLUE)}",
        "drain": "it starts nothing more, lets finish what runs, and ends" if busy else "",
        "stop now": "its jobs are ended, their tasks go to other managers, and it ends" if busy else "it ends",
        "ctrl-c": "twice leaves it running",
    }
    lines = ["The engine is a process of its own and needs no console.", "", *facts(details)]
    options = [Option("l", "Leave it running", Quit.LEAVE), *([_DRAIN] if busy else []), _STOP]
    return Dialog("quit", lines, options, harmless="Stay")


def quit_local_dialog(*, busy: bool, place: str = "") -> Dialog[Quit]:
    """Dialog for a local cluster, which ends with the console. `place`: where its clients find it."""
    details = {
        "clients": clean(place.partition("\n")[0]),
        "drain": "what runs may finish first; ctrl-c on the terminal then stops it now" if busy else "",
        "stop now": "what runs is lost" if busy else "nothing runs",
        "ctrl-c": f"twice {'drains' if busy else 'ends it'}",
    }
    lines = ["Scaler, the local AWS and the worker manager end with this console.", "", *facts(details)]
    return Dialog("quit", lines, [*([_DRAIN] if busy else []), _STOP], harmless="Stay")
