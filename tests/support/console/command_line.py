"""`scaler-batch` as a process of this Python, as its console script starts it."""

from __future__ import annotations

import subprocess
import sys

from console.cli.main import PROGRAM

SCRIPT = f"import sys; sys.argv[0] = {PROGRAM!r}; from console.cli.main import main; main()"
"""The console script, for `python -c`."""


def command_line(*words: str) -> list[str]:
    """Command line that runs `scaler-batch` with those words."""
    return [sys.executable, "-P", "-c", SCRIPT, *words]


def run_program(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `scaler-batch` without standard input and capture its output."""
    return subprocess.run(command_line(*words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def modules_loaded_by(*words: str) -> set[str]:
    """Top-level packages that are imported when the command ends."""
    script = f"import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {SCRIPT}"
    done = subprocess.run([sys.executable, "-P", "-c", script, *words], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}
