"""The one light on real processes: red on the console and in `status` when what the engine lives from is gone.

One console and one engine meet one fault after the other.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.consoles import PROGRAM, UserFolders, counts, user_folders
from tests.support.cluster.engine_restarts import scheduler_beside
from tests.support.terminal import Terminal

NOTICED_S = 45.0
"""An echo that stays out is missed after 15 s; this machine may be slow."""
DOWN = 4
RUNS = "import time\nwith Client(address=ADDRESS) as client: client.submit(lambda: time.sleep(600)).result()"


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserFolders]:
    with user_folders(tmp_path) as here:
        yield here


@pytest.fixture(autouse=True)
def own_scheduler(cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that the test may stop."""
    with scheduler_beside(cluster, tmp_path) as address:
        monkeypatch.setattr(LocalCluster, "scheduler_address", address)
        yield
    cluster.aws.clear_faults()


@contextmanager
def stopped(address: str) -> Iterator[None]:
    """The scheduler at this address does nothing at all."""
    pids = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _serves(pid, address)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _serves(pid: int, address: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return False
    return address in words and any("scaler_scheduler" in word for word in words) and pid != os.getpid()


def back(terminal: Terminal) -> None:
    """To the dashboard; a key right behind an escape would be another key."""
    terminal.send("\x1b")
    terminal.wait_for("payload routing")


def status(user: UserFolders) -> tuple[int, str]:
    """Exit code and output of `scaler-batch status`."""
    environ = {**os.environ, **user.environ}
    done = subprocess.run((*PROGRAM, "status"), env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.long
def test_the_light_is_red_wherever_it_is_looked_for_and_why_says_what_to_do(
    cluster: LocalCluster, user: UserFolders
) -> None:
    cluster.aws.fault("throttle:ListJobs:0/s")
    with user.run(cluster) as terminal, talking_client(cluster, RUNS):
        terminal.wait_for("not connected to the scheduler yet: AWS throttles ListJobs", 60)
        cluster.aws.clear_faults()
        terminal.wait_for("LIVE", 60)
        terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1, 60)
        assert status(user)[0] == 0
        with stopped(cluster.scheduler_address):
            _the_scheduler_is_down(terminal, user)
        terminal.wait_for("LIVE", NOTICED_S)
        terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1, 60)
        cluster.aws.fault("expired-credentials")
        _credentials_have_expired(terminal, user)
        cluster.aws.clear_faults()
        terminal.wait_for("LIVE", NOTICED_S)
        _the_engine_tells_of_itself(terminal)
        terminal.send("q")
        terminal.wait_for("Leave it running (l)")
        terminal.send("S")
        assert terminal.wait_end() == 0


def _the_scheduler_is_down(terminal: Terminal, user: UserFolders) -> None:
    text = terminal.wait_for("SCHEDULER DOWN", NOTICED_S)
    assert "LIVE" not in text
    terminal.wait_for("scheduler down")  # the alert, with what to do
    code, out = status(user)
    assert code == DOWN
    assert "down: scheduler" in out
    terminal.send("w")
    terminal.wait_for("the scheduler does not answer", 30)
    assert "nothing is stuck" not in terminal.wait_for("check that scaler_scheduler runs")
    back(terminal)


def _credentials_have_expired(terminal: Terminal, user: UserFolders) -> None:
    terminal.wait_for("CREDENTIALS DOWN", NOTICED_S)
    assert status(user)[0] == DOWN
    terminal.wait_for("states as of")
    terminal.send("w")
    terminal.wait_for("credentials expired: renew them", 30)
    terminal.wait_for("aws sso login")
    back(terminal)


def _the_engine_tells_of_itself(terminal: Terminal) -> None:
    terminal.send(":engine\r")
    for word in ("loop lag", "scheduler", "AWS credentials", "lease", "all is well", "viewers", "ExpiredToken"):
        terminal.wait_for(word)
    back(terminal)
