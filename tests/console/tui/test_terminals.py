"""What the console does to a terminal: which ones it takes, that they are as before when it breaks, how it copies in
tmux, and that a slow line doesn't hurt."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cases import first_now
from tests.support.socket_places import short_folder
from tests.support.terminal import Terminal

PROGRAM = (sys.executable, "-P", "-c", "from console.cli.main import main; main()")
RESTORED = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[?25h")
ADDRESSES = ("--job-queue", "q", "--job-definition", "d", "--s3-bucket", "bucket", "--aws-region", "us-east-1")
LATENCY_S = 0.15

BROKEN = """
from tests.support.console.demo.source import DemoSource
from console.tui.launch import open_console
class Broken(DemoSource):
    polls = 0
    def poll(self, timeout_s=0.0):
        self.polls += 1
        if self.polls > 10:
            raise LookupError("the source broke")
        return super().poll(timeout_s)
raise SystemExit(open_console(Broken(50, 0), "demo")[1])
"""


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """Folders of one's own, with names as short as sockets need them."""
    with short_folder() as folder:
        names = ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "TMPDIR")
        yield {**dict.fromkeys(names, str(folder)), "LANG": "C.UTF-8"}


@pytest.fixture
def engine(environ: dict[str, str]) -> Iterator[None]:
    command = (sys.executable, "-m", "tests.support.console.synthetic_engine", "--jobs", "200", "--rate", "0")
    process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield
    process.kill()
    process.communicate()


def shell(command: str, *words: str) -> tuple[str, ...]:
    """`scaler-batch` with these words as "$@" of a shell command."""
    return ("sh", "-c", command, "sh", *PROGRAM, *words)


# ---- which terminals it takes


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("redirected", first_now(['"$@" 2>errors', '"$@" >out', '"$@" <&-', '"$@" | cat']))
def test_a_stream_that_is_no_terminal_gets_text_without_escape_codes(
    redirected: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(shell(redirected, "attach"), environ=environ, cwd=tmp_path) as terminal:
        assert terminal.wait_end() == 0
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        assert b"RUNNING" in terminal.output + files
        assert b"\x1b[?1049h" not in terminal.output + files
        assert b"\x1b" not in files


@pytest.mark.parametrize(
    ("redirected", "term", "why"),
    first_now(
        [
            ('"$@"', "dumb", "type is dumb"),
            ('"$@" 2>errors', "xterm-256color", "standard error is no terminal"),
            ('"$@" >out', "xterm-256color", "standard output is no terminal"),
        ]
    ),
)
def test_run_without_a_terminal_says_why_and_starts_nothing(
    redirected: str, term: str, why: str, environ: dict[str, str], tmp_path: Path
) -> None:
    words = ("run", "tcp://127.0.0.1:9", *ADDRESSES)
    with Terminal(shell(redirected, *words), environ={**environ, "TERM": term}, cwd=tmp_path) as terminal:
        assert terminal.wait_end() == 2
        said = terminal.output + b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert why in " ".join(said.decode().split())
        assert b"--headless" in said
        assert b"\x1b" not in said


@pytest.mark.usefixtures("engine")
def test_a_locale_without_signs_gets_ascii(environ: dict[str, str]) -> None:
    with Terminal((*PROGRAM, "attach"), environ={**environ, "LC_ALL": "C"}) as terminal:
        text = terminal.wait_for("LIVE")
        terminal.run_for(0.5)
        assert terminal.text.isascii()
        assert "RUNNING" in text
        terminal.send("q")
        assert terminal.wait_end() == 0
        assert not any(byte > 127 for byte in terminal.output)


# ---- how it leaves them


@pytest.mark.long
def test_a_defect_leaves_the_terminal_as_before_and_tells(environ: dict[str, str]) -> None:
    with Terminal((sys.executable, "-c", BROKEN), environ=environ) as terminal:
        terminal.wait_for("RUNNING")
        assert terminal.wait_end() == 1
        last = bytes(terminal.output).rpartition(b"\x1b[?1049h")[2]
        assert [sequence for sequence in RESTORED if sequence not in last] == []
        assert b"the source broke" in last.rpartition(b"\x1b[?1049l")[2]


# ---- a terminal that goes away


@pytest.mark.usefixtures("engine")
def test_the_console_ends_with_its_terminal(environ: dict[str, str]) -> None:
    with Terminal((*PROGRAM, "attach"), environ=environ) as terminal:
        terminal.wait_for("LIVE")
        assert terminal.hang_up() == 129


# ---- tmux


@pytest.mark.usefixtures("engine")
@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_tmux_as_it_comes_a_copied_id_is_in_its_buffer_and_that_is_said(environ: dict[str, str]) -> None:
    tmux = Tmux(environ)
    with tmux:
        tmux.start(*PROGRAM, "attach")
        tmux.wait_for("LIVE")
        tmux.keys("j", "y")
        screen = tmux.wait_for("copied to tmux's buffer")
        copied = tmux.ask("show-buffer")
        assert re.fullmatch("[0-9a-f]{32}", copied)
        assert copied[:8] in screen


class Tmux:
    """A tmux server of one's own, without anybody's configuration."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = {**os.environ, **environ, "TERM": "xterm-256color"}
        self._environ.pop("TMUX", None)
        self._command = ("tmux", "-S", f"{environ['TMPDIR']}/tmux", "-f", "/dev/null")

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.ask("kill-server")

    def start(self, *command: str) -> None:
        self.ask("new-session", "-d", "-x", "120", "-y", "40", *command)

    def ask(self, *words: str) -> str:
        done = subprocess.run((*self._command, *words), env=self._environ, capture_output=True, text=True, check=True)
        return done.stdout

    def keys(self, *keys: str) -> None:
        self.ask("send-keys", *keys)

    def wait_for(self, wanted: str, seconds: float = 20.0) -> str:
        end = time.monotonic() + seconds
        while wanted not in (screen := self.ask("capture-pane", "-p")):
            assert time.monotonic() < end, screen
            time.sleep(0.05)
        return screen


# ---- a slow line


@pytest.mark.long
@pytest.mark.usefixtures("engine")
def test_over_a_slow_line_no_key_is_lost_and_each_is_answered_by_one_step(environ: dict[str, str]) -> None:
    relay = (sys.executable, "-m", "tests.support.console.slow_line", str(LATENCY_S))
    with Terminal((*relay, *PROGRAM, "attach"), environ=environ) as terminal:
        terminal.wait_for("streaming", 30)
        terminal.send("jjj")  # typed ahead
        terminal.wait_for("3 of 200")
        for number in range(4, 9):
            before = selected_line(terminal)
            terminal.send("j")
            terminal.wait_for(f"{number} of 200")
            assert selected_line(terminal) == before + 1
        terminal.send("\r")
        terminal.wait_for("timeline")
        terminal.send("\x1b")
        terminal.wait_for(lambda text: "timeline" not in text)
        terminal.send("\x1b[B")  # an arrow key, not escape and two letters
        terminal.wait_for("9 of 200")
        terminal.send("/fn:greeks\r")  # in one go, before there is a prompt
        terminal.wait_for("fn:greeks")
        terminal.wait_for(lambda text: "price_leg" not in text)
        terminal.send("q")
        assert terminal.wait_end() == 0


def selected_line(terminal: Terminal) -> int:
    """Which line of the screen bears the cursor of the jobs."""
    return next(number for number, line in enumerate(terminal.screen.display) if "▶" in line)
