"""The user's own command for a notification: a mail, a message, a sound."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from console.foreign_text import clean
from console.tui.notices.terminal_notice import LONGEST


def run_command(command: Sequence[str], text: str) -> str:
    """Start the command with the sentence as its last argument, and no shell; returns why it could not be started.

    Nobody waits for it, and what it prints is dropped: the console has the terminal.
    """
    nothing = subprocess.DEVNULL
    try:
        subprocess.Popen(
            [*command, clean(text)[:LONGEST]], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except (OSError, ValueError) as error:
        return f"notify_command can't be started: {error}"
    return ""
