"""Quit dialogs: choices for an engine that this console started."""

from __future__ import annotations

from console.tui.drawing.spans import clean
from console.tui.screens.dialog import GLUE, Dialog, Option, facts
from console.tui.state import Quit


def quit_dialog(engine: str) -> Dialog[Quit]:
    """Dialog for an engine that can go on without the console."""
    command = f"scaler-batch attach {clean(engine)} --allow-writes"
    details = {
        "leave": f"it runs on; come back with {command.replace(' ', GLUE)}",
        "drain": "it starts nothing more, lets finish what runs, and ends",
        "terminate": "its jobs are ended, their tasks go to other managers, and it ends",
    }
    lines = ["The engine is a process of its own and needs no console.", "", *facts(details)]
    options = [
        Option("l", "Leave it running", Quit.LEAVE),
        Option("d", "Drain", Quit.DRAIN, dangerous=True),
        Option("T", "Terminate jobs", Quit.TERMINATE, dangerous=True),
    ]
    return Dialog("quit", lines, options, harmless="Stay")


def quit_local_dialog() -> Dialog[Quit]:
    """Dialog for a local cluster, which ends with the console."""
    details = {
        "drain": "what runs may finish first; ctrl-c then stops at once",
        "terminate": "everything stops at once",
    }
    lines = ["Scaler, the local AWS and the worker manager end with this console.", "", *facts(details)]
    options = [
        Option("d", "Drain", Quit.DRAIN),
        Option("T", "Stop at once", Quit.TERMINATE, dangerous=True),
    ]
    return Dialog("quit", lines, options, harmless="Stay")
