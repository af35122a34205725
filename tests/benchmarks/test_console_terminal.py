"""What the console costs and how soon it answers, measured from outside in a terminal of 120x40.

The engine behind it is synthetic and a process of its own: 10,000 jobs with 1,000 transitions a second, the same
without any change, and 100,000 jobs. Groups are what the dashboard shows; keys are measured in the table of jobs, the
journal and the failures, too. Start-up is cold in the sense of a new process; files are in the page cache.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.socket_places import short_folder
from tests.support.terminal import Terminal

pytestmark = pytest.mark.benchmark

CONSOLE = Path(sys.executable).with_name("scaler-batch")
KEYS = "jk" * 30
"""Each moves the cursor, in a table of two rows, too."""
PLACES = (
    ("groups", "", "by function"),
    ("jobs", "bbbb", "jobs"),
    ("journal", "E", "events"),
    ("failures", "F", "causes"),
)
"""Where keys are measured, how one gets there from the dashboard, and what is there then."""
MEASURED_S = 20.0
LINE_S = 0.15


@contextmanager
def synthetic_engine(jobs: int, rate: float) -> Iterator[dict[str, str]]:
    """The environment in which a console finds it, without what an earlier one kept of its settings."""
    command = (sys.executable, "-m", "tests.support.console.synthetic_engine", "--jobs", str(jobs), "--rate", str(rate))
    with short_folder() as runtime:
        environ = {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(runtime / "config")}
        process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield environ
        finally:
            process.terminate()
            process.communicate()


def first_paint(environ: dict[str, str]) -> float:
    """Seconds from the start of the process to a dashboard with numbers."""
    with Terminal((str(CONSOLE), "attach"), environ=environ) as terminal:
        terminal.wait_for("RUNNING")
        return time.monotonic() - terminal.started_at


def report(title: str, terminal: Terminal, seconds: float) -> None:
    terminal.run_for(5.0)  # past the start
    cpu, begin = terminal.cpu_seconds(), time.monotonic()
    written = terminal.run_for(seconds)
    share = (terminal.cpu_seconds() - cpu) / (time.monotonic() - begin)
    print(
        f"{title:32} CPU {share:6.1%}  terminal {written / seconds / 1024:5.1f} KB/s  "
        f"RSS {terminal.rss_bytes() >> 20} MB"
    )
    for place, keys, word in PLACES:
        terminal.send(keys)
        terminal.wait_for(word)
        terminal.run_for(2.0)
        latencies = sorted(_latencies(terminal))
        print(f"  a key in {place:10} p50 {statistics.median(latencies):5.1f} ms p95 {_p95(latencies):5.1f} ms")
        terminal.send("\x1b")
        terminal.run_for(1.0)
    print(f"  RSS after all of it {terminal.rss_bytes() >> 20} MB")


def _latencies(terminal: Terminal) -> Iterator[float]:
    """Milliseconds from each of the keys to what it changes."""
    for key in KEYS:
        terminal.run_for(0.13)
        yield terminal.latency(key) * 1000


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


def test_first_paint() -> None:
    with synthetic_engine(1_000, 10) as environ:
        first_paint(environ)
        times = sorted(first_paint(environ) for _ in range(7))
    print(f"\nfirst paint: median {times[3]:.2f} s, worst {times[-1]:.2f} s of 7")


def quit_seconds(environ: dict[str, str]) -> float:
    """From `q` to the end of the process, after a while of work."""
    with Terminal((str(CONSOLE), "attach"), environ=environ) as terminal:
        terminal.wait_for("LIVE")
        terminal.run_for(2.0)
        begin = time.monotonic()
        terminal.send("q")
        assert terminal.wait_end() == 0
        return time.monotonic() - begin


def test_quit() -> None:
    with synthetic_engine(10_000, 1_000) as environ:
        times = sorted(quit_seconds(environ) for _ in range(7))
    print(f"\nquit: median {times[3]:.2f} s, worst {times[-1]:.2f} s of 7; bar: 0.5 s")


def test_keys_over_a_slow_line() -> None:
    """What a key costs beyond the line's own time, there and back."""
    relay = (sys.executable, "-m", "tests.support.console.slow_line", str(LINE_S))
    with (
        synthetic_engine(10_000, 0) as environ,
        Terminal((*relay, str(CONSOLE), "attach"), environ=environ) as terminal,
    ):
        terminal.wait_for("streaming", 30)
        terminal.send("bbbb")
        terminal.wait_for("10,000/10,000", 30)
        beyond = []
        for place in range(1, 31):
            begin = time.monotonic()
            terminal.send("j")
            terminal.wait_for(f" {place} of ")
            beyond.append((time.monotonic() - begin - 2 * LINE_S) * 1000)
        terminal.send("\r")
        terminal.wait_for("timeline")
        begin = time.monotonic()
        terminal.send("\x1b")
        terminal.wait_for(lambda text: "timeline" not in text)
        escape = (time.monotonic() - begin - 2 * LINE_S) * 1000
    print(f"\nline of {LINE_S * 1000:.0f} ms each way: key p50 {statistics.median(beyond):.0f} ms", end=" ")
    print(f"p95 {_p95(beyond):.0f} ms")
    print(f"more than that; escape, to the other screen, {escape:.0f} ms more; bar for its delay: 150 ms")


@pytest.mark.parametrize(
    ("title", "jobs", "rate"),
    [
        ("10,000 jobs, 1,000 moves a second", 10_000, 1_000),
        ("10,000 jobs, none moves", 10_000, 0),
        ("100,000 jobs, 1,000 moves a second", 100_000, 1_000),
    ],
)
def test_cost_and_latency(title: str, jobs: int, rate: float) -> None:
    with (
        synthetic_engine(jobs, rate) as environ,
        Terminal((str(CONSOLE), "attach"), environ=environ) as terminal,
    ):
        terminal.wait_for("RUNNING")
        print()
        report(title, terminal, MEASURED_S)
