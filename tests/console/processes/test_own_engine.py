"""The end of an engine of `local`: what it says while it drains is on the terminal."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from console.processes.engine_child import start_tied
from console.processes.own_engine import follow_to_end

DRAINS = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("before", file=sys.stderr, flush=True)
signal.sigwait({signal.SIGTERM})
print("draining: 64 left\\x1b[2J", file=sys.stderr, flush=True)
"""


def test_the_progress_of_a_drain_is_shown_and_nothing_that_moves_a_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = start_tied((sys.executable, "-c", DRAINS), tmp_path / "engine.log")
    try:
        wait = threading.Event()
        while not child.log.stat().st_size and child.process.poll() is None:
            wait.wait(0.01)
        begin = child.log.stat().st_size
        child.process.send_signal(signal.SIGTERM)
        follow_to_end(child, begin)
    finally:
        child.process.kill()
    assert capsys.readouterr().err == "draining: 64 left\N{REPLACEMENT CHARACTER}[2J\n"


def test_what_an_engine_says_last_is_shown_when_it_had_ended_before_anybody_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = start_tied((sys.executable, "-c", "import sys; print('the last word', file=sys.stderr)"), tmp_path / "log")
    child.process.wait()
    follow_to_end(child, 0)
    assert capsys.readouterr().err == "the last word\n"
