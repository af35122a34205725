"""Clipboard access: tmux's buffer, the terminal's clipboard (OSC 52), or a file.

A program can't see whether a terminal took OSC 52; inside tmux, whose usual setting drops it, tmux's own command is
used instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

MOST_BY_TERMINAL: Final = 74_000
"""Characters; terminals cut an OSC 52 at about 100,000 bytes of base64."""
_SECONDS: Final = 1.0


def copy(text: str, to_terminal: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> str:
    """Copy `text` and return where to, in words. `to_terminal` writes the escape sequence (OSC 52)."""
    if environ.get("TMUX") and _tmux(text):
        to_terminal(text)
        return "copied to tmux's buffer (prefix ] pastes it)"
    if environ.get("TMUX") or len(text) > MOST_BY_TERMINAL:
        return f"copied to {_file(text)}"
    to_terminal(text)
    return "copied to the terminal's clipboard"


def _tmux(text: str) -> bool:
    program = shutil.which("tmux")
    if program is None:
        return False
    for words in (("load-buffer", "-w", "-"), ("load-buffer", "-")):  # -w is younger than many a tmux
        try:
            done = subprocess.run(
                (program, *words), input=text.encode(), capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode == 0:
            return True
    return False


def _file(text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="scaler-batch-", suffix=".txt")  # 0600
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)
