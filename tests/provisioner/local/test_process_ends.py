"""Nothing outlives the local AWS, and the local AWS outlives nobody, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.aws import LocalAWS, LocalAWSError
from tests.support.cases import first_now
from tests.support.local_aws.account import PROGRAM, open_account
from tests.support.local_aws.processes import await_none, mentioning
from tests.support.paths import ROOT

STARTER = """
import sys, time
from provisioner.local.aws import LocalAWS
from tests.support.local_aws.account import PROGRAM, open_account
aws = LocalAWS(state_dir=sys.argv[1], program=PROGRAM)
aws.start()
account = open_account(aws)
mark = sys.argv[1] + "/mark"
code = f"import subprocess; p = subprocess.Popen(['sh', '-c', 'sleep 600; : {mark}']); print('up'); p.wait()"
for _ in range(3):
    job = account.until(account.submit(code), "RUNNING")
    while account.lines(job) != ["up"]:
        time.sleep(0.01)
print(aws.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


def fork_server_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("victim", first_now(["parent", "server", "fork server"]))
def test_a_kill_of_one_ends_all(starter: subprocess.Popen[str], tmp_path: Path, victim: str) -> None:
    assert starter.stdout is not None
    server = int(starter.stdout.readline())
    assert len(mentioning(tmp_path)) > 3
    pids = {"parent": starter.pid, "server": server, "fork server": fork_server_of(server)}
    os.kill(pids[victim], signal.SIGKILL)
    await_none(lambda: mentioning(tmp_path))


@pytest.mark.long
def test_stopping_ends_running_jobs(tmp_path: Path) -> None:
    with LocalAWS(tmp_path, program=PROGRAM) as aws:
        account = open_account(aws)
        job = account.submit("import time; print('up', flush=True); time.sleep(600)")
        account.until(job, "RUNNING")
    await_none(lambda: mentioning(tmp_path))


@pytest.mark.long
def test_a_temporary_state_folder_is_removed() -> None:
    with LocalAWS(program=PROGRAM) as aws:
        folder = aws.state_dir
        assert folder.exists()
    assert not folder.exists()


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(LocalAWSError, match="No module named 'nothing'"):
        LocalAWS(tmp_path, program="/nowhere/nothing.py:main").start()
    await_none(lambda: mentioning(tmp_path))
