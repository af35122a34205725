"""Text shown outside of the console: in the user's pager, or printed on the terminal's own screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from textual.app import App, SuspendNotSupported

DEFAULT_PAGER: Final = "less"
PRINT_NOTE: Final = "\n\nenter: back to the console"


def page_text(text: str) -> str:
    """Show text in `$PAGER` until that ends; returns why it couldn't be shown, empty when it was."""
    command = os.environ.get("PAGER") or DEFAULT_PAGER
    try:
        words = shlex.split(command)
        subprocess.run(words, input=text, text=True, encoding="utf-8", errors="replace", check=False)
    except (OSError, ValueError, IndexError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return f"the pager {command} can't be started ({why}): set PAGER to one that is there"
    return ""


def print_text(text: str) -> str:
    """Print text on the terminal, whose lines are whole there, and wait for enter."""
    print(f"\n{text}{PRINT_NOTE}", file=sys.__stdout__, flush=True)
    sys.stdin.readline()
    return ""


def leave_console(app: App[object], show: Callable[[str], str], text: str, instead: str) -> None:
    """Give the terminal to `show` for a while. Where it can't be given away, `instead` is said."""
    try:
        with app.suspend():
            wrong = show(text)
    except SuspendNotSupported:
        wrong = instead
    if wrong:
        app.notify(wrong, markup=False)
