"""What is to become of an engine that this console started, when the console is left."""

from __future__ import annotations

from console.screens.dialog import Dialog, Option
from console.spans import clean
from console.state import Quit


def quit_dialog(engine: str) -> Dialog[Quit]:
    """For an engine that can live on."""
    lines = [
        "The engine is a process of its own and needs no console.",
        "",
        f"leave      it runs on; come back with: scaler-batch attach {clean(engine)} --allow-writes",
        "drain      it starts nothing more, lets finish what runs, and ends",
        "terminate  its jobs are ended, their tasks go to other managers, and it ends",
    ]
    options = [
        Option("l", "Leave it running", Quit.LEAVE),
        Option("d", "Drain", Quit.DRAIN, dangerous=True),
        Option("T", "Terminate jobs", Quit.TERMINATE, dangerous=True),
    ]
    return Dialog("quit", lines, options, harmless="Stay")


def quit_local_dialog() -> Dialog[Quit]:
    """For a cluster that ends with the console."""
    lines = [
        "Scaler, the local AWS and the worker manager end with this console.",
        "",
        "drain      what runs may finish first; ctrl-c then stops at once",
        "terminate  everything stops at once",
    ]
    options = [
        Option("d", "Drain", Quit.DRAIN),
        Option("T", "Stop at once", Quit.TERMINATE, dangerous=True),
    ]
    return Dialog("quit", lines, options, harmless="Stay")
