"""Engine as a child: its session, its log, and its end."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from console.processes.engine_child import EngineChild, start_detached, start_tied
from engine.errors import EngineError

SLEEPS = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")
FAILS = (sys.executable, "-c", "import sys; print('no such queue'); sys.exit(3)")


def end(child: EngineChild) -> None:
    child.process.kill()
    child.process.wait()


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
