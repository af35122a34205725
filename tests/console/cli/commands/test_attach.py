"""`attach` as a process: a console in a terminal, text anywhere else, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.socket_places import short_folder
from tests.support.terminal import Terminal

PROGRAM = (sys.executable, "-P", "-c", "from console.cli.main import main; main()")
RESTORED = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[?25h")
"""Alternate screen, mouse and bracketed paste are off, the cursor is back."""


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    with short_folder() as runtime:
        yield {"XDG_RUNTIME_DIR": str(runtime), "LANG": "C.UTF-8"}


@pytest.fixture
def engine(environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = (sys.executable, "-m", "tests.support.console.synthetic_engine", "--jobs", "200", "--rate", "0")
    process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.communicate()


def printed(environ: dict[str, str], *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    command = (*PROGRAM, *words)
    return subprocess.run(
        command, env={**os.environ, **environ, **more}, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.usefixtures("engine")
def test_in_a_pipe_one_picture_is_printed_without_escape_codes(environ: dict[str, str]) -> None:
    done = printed(environ, "attach", TERM="xterm-256color", FORCE_COLOR="")
    assert done.returncode == 0
    assert b"RUNNING" in done.stdout
    assert b"price_leg" in done.stdout
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.usefixtures("engine")
def test_all_engines_are_printed_one_after_the_other(environ: dict[str, str]) -> None:
    command = (sys.executable, "-m", "tests.support.console.synthetic_engine", "--name", "other", "--jobs", "3")
    other = subprocess.Popen((*command, "--rate", "0"), env={**os.environ, **environ}, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        done = printed(environ, "attach", "--all", "pricing-spot")
        unclear = printed(environ, "attach")
    finally:
        other.kill()
        other.communicate()
    named = [line.partition(",")[0].split() for line in done.stdout.decode().splitlines() if line.startswith("engine ")]
    assert named == [["engine", "pricing-spot"], ["engine", "other"]]
    assert unclear.returncode == 2
    assert b"name the one you mean" in unclear.stderr


@pytest.mark.usefixtures("engine")
def test_a_dumb_terminal_gets_text(environ: dict[str, str]) -> None:
    with Terminal((*PROGRAM, "attach"), environ={**environ, "TERM": "dumb"}) as terminal:
        assert terminal.wait_end() == 0
        assert b"RUNNING" in terminal.output
        assert b"\x1b" not in terminal.output


def test_without_an_engine_it_says_how_to_start_one(environ: dict[str, str]) -> None:
    done = printed(environ, "attach")
    assert done.returncode == 1
    assert b"no engine runs here" in done.stderr


@pytest.mark.parametrize("words", [("local", "--demo", "1"), ("replay", "nothing.rec")])
def test_what_needs_a_terminal_says_so_on_a_dumb_one(words: tuple[str, ...], environ: dict[str, str]) -> None:
    with Terminal((*PROGRAM, *words), environ={**environ, "TERM": "dumb"}) as terminal:
        assert terminal.wait_end() == 2
        assert b"needs a terminal" in terminal.output
        assert b"\x1b" not in terminal.output


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param("q", 0, id="q"),
        pytest.param("\x03", 0, id="ctrl-c", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 143, id="SIGTERM", marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, 129, id="SIGHUP", marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 130, id="SIGINT", marks=pytest.mark.long),
    ],
)
def test_the_terminal_is_as_before_however_it_ends(
    end: str | signal.Signals, code: int, environ: dict[str, str]
) -> None:
    with Terminal((*PROGRAM, "attach"), environ=environ) as terminal:
        terminal.wait_for("READ-ONLY")
        if isinstance(end, signal.Signals):
            terminal.process.send_signal(end)
        else:
            terminal.send(end)
        assert terminal.wait_end() == code
        last = bytes(terminal.output).rpartition(b"\x1b[?1049h")[2]
        assert [sequence for sequence in RESTORED if sequence not in last] == []


@pytest.mark.long
def test_a_killed_engine_is_said_and_a_new_one_heals(engine: subprocess.Popen[bytes], environ: dict[str, str]) -> None:
    with Terminal((*PROGRAM, "attach"), environ=environ) as terminal:
        terminal.wait_for("LIVE")
        engine.kill()
        engine.wait()
        terminal.wait_for("ENGINE LOST")
        command = (sys.executable, "-m", "tests.support.console.synthetic_engine", "--jobs", "200", "--rate", "0")
        again = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
        try:
            terminal.wait_for("LIVE")
        finally:
            again.kill()
            again.wait()


def test_a_port_without_web_is_a_usage_error(environ: dict[str, str]) -> None:
    done = printed(environ, "attach", "--port", "8080")
    assert done.returncode == 2
    assert b"add --web" in done.stderr


def test_attach_loads_nothing_of_aws_scaler_or_the_provisioner(environ: dict[str, str]) -> None:
    program = (
        "import sys; import console.cli.main, console.cli.commands.attach, console.tui.launch, console.tui.app, "
        "engine.telemetry.client.client, engine.telemetry.endpoints; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"boto3", "botocore", "scaler", "moto", "provisioner", "rich.markdown"})
