"""Parts of the console that need no screen: clipboard, settings, terminals, and an engine as a child."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from console.processes.engine_child import EngineChild, start_detached, start_tied
from console.terminal import prefers_ascii, why_no_console
from console.tui.clipboard import copy
from console.tui.drawing.glyphs import UNICODE
from console.tui.preferences import Preferences, load, save
from console.tui.why.diagnosis_lines import trend_lines
from engine.errors import EngineError
from engine.telemetry.schema.messages import JobState, Trends

SLEEPS = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")
FAILS = (sys.executable, "-c", "import sys; print('no such queue'); sys.exit(3)")


def end(child: EngineChild) -> None:
    child.process.kill()
    child.process.wait()


def test_text_goes_to_the_terminal_where_nothing_is_between() -> None:
    written: list[str] = []
    assert "terminal" in copy("an id", written.append, {})
    assert written == ["an id"]


def test_in_a_tmux_that_cannot_be_reached_text_goes_to_a_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = copy("an id", lambda _: None, {"TMUX": "/nowhere,1,0"})
    [file] = tmp_path.iterdir()
    assert str(file) in said
    assert file.read_text() == "an id"
    assert file.stat().st_mode & 0o777 == 0o600


def test_settings_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "console.json"
    wanted = Preferences(theme="light", hidden_panes=("quota",), keymap={"cancel": "X"})
    save(file, wanted)
    assert load(file) == (wanted, "")
    assert file.stat().st_mode & 0o777 == 0o600


def test_broken_settings_are_told_and_left_aside(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    file.write_text('{"theme": 7}')
    preferences, said = load(file)
    assert preferences == Preferences()
    assert str(file) in said


@pytest.mark.parametrize(
    ("locale", "ascii_only"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LC_ALL": "ja_JP.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
    ],
)
def test_signs_are_plain_where_the_locale_cannot_be_trusted(locale: dict[str, str], ascii_only: bool) -> None:
    assert prefers_ascii(locale) is ascii_only


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_terminal_without_a_type_is_no_place_for_a_console(term: str) -> None:
    assert "TERM" in why_no_console({"TERM": term})


def test_an_engine_of_run_has_a_session_of_its_own_and_a_private_log(tmp_path: Path) -> None:
    child = start_detached(SLEEPS, tmp_path / "log")
    try:
        assert os.getsid(child.process.pid) == child.process.pid
        assert child.log.stat().st_mode & 0o777 == 0o600
        assert child.end_in_words() == ""
    finally:
        end(child)
    assert "was killed by SIGKILL" in child.end_in_words()


def test_an_engine_that_cannot_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    child = start_detached(FAILS, tmp_path / "log")
    with pytest.raises(EngineError, match="no such queue") as raised:
        child.wait_for(lambda _: False)
    assert raised.value.exit_code == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends it on Linux only")
def test_what_local_starts_ends_with_its_parent(tmp_path: Path) -> None:
    parent = os.fork()
    if parent == 0:
        child = start_tied(SLEEPS, tmp_path / "log")
        (tmp_path / "pid").write_text(str(child.process.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """A zombie that its new parent has yet to collect runs no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_state_that_had_no_job_in_the_last_hour_stands_at_zero_now() -> None:
    trends = Trends(window="1h", start=0.0, step_s=60.0, counts={JobState.RUNNING: (3, 1_200)})
    lines = ["".join(text for text, _ in line) for line in trend_lines(trends, UNICODE, 40)]
    assert [line.rsplit("now", 1)[1].strip() for line in lines] == ["0", "0", "1,200"]
