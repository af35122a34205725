"""Processes of this machine, found by their command lines (Linux)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def mentioning(text: str | Path) -> list[int]:
    """Processes whose command line names it, but for the starter itself."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            line = command_line(entry)
            if str(text) in line and "open_account" not in line:
                found.append(int(entry.name))
    return found


def command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


def await_none(find: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + 20
    while find():
        assert time.monotonic() < deadline, f"still there: {find()}"
        time.sleep(0.02)
