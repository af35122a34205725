"""`scaler-batch local` as a process, with everything real inside. Nothing may be left of it, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console.local_program import LIMIT_S, LocalProgram, local_program

SCRIPT = """
import os, sys
from scaler import Client

class Refused(Exception):
    pass

def refuse(what):
    raise Refused(what, 7)

with Client(address=os.environ["SCALER_ADDRESS"]) as client:
    try:
        client.submit(refuse, "no").result()
    except Refused as error:
        sys.exit(error.args[1])
"""

SLOW_SCRIPT = """
import os, pathlib, time
from scaler import Client

def wait_for_file(folder):
    (folder / "started").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return "finished"

with Client(address=os.environ["SCALER_ADDRESS"]) as client:
    folder = pathlib.Path.cwd()
    future = client.submit(wait_for_file, folder)
    while not (folder / "started").exists():
        time.sleep(0.02)
    print("running", flush=True)
    print(future.result())
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[LocalProgram]:
    with local_program(tmp_path) as program:
        yield program


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def test_the_demo_is_right_and_leaves_nothing(program: LocalProgram) -> None:
    done = program.run("--demo", "20", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["results"] == [x**2 for x in range(20)]
    assert report["batch_calls"] + report["s3_calls"] < report["polled_calls"]
    assert program.living() == []
    assert list(program.folder.iterdir()) == []


@pytest.mark.long
def test_a_scripts_exit_code_and_exceptions_are_its_own(program: LocalProgram) -> None:
    script = program.folder / "client.py"
    script.write_text(SCRIPT)
    done = program.run("--script", "client.py")
    assert done.returncode == 7, done.stderr
    assert program.living() == []
    assert list(program.folder.iterdir()) == [script]


def start_and_await_address(program: LocalProgram) -> subprocess.Popen[str]:
    process = program.start("--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["scheduler_address"].startswith("tcp://127.0.0.1:")
    return process


@pytest.mark.long
def test_an_interrupt_ends_it_well_and_leaves_nothing(program: LocalProgram) -> None:
    process = start_and_await_address(program)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert program.living() == []
    assert list(program.folder.iterdir()) == []


@pytest.mark.long
def test_ctrl_c_at_a_terminal_lets_finish_what_runs(program: LocalProgram) -> None:
    (program.folder / "client.py").write_text(SLOW_SCRIPT)
    process = program.start("--script", "client.py")
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to every process of the group
    (program.folder / "go").touch()
    out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (0, "finished\n"), err
    assert "draining" in err
    assert program.living() == []


@pytest.mark.long
def test_killed_it_takes_every_process_along(program: LocalProgram) -> None:
    process = start_and_await_address(program)
    living = program.living()
    process.kill()
    process.communicate(timeout=LIMIT_S)
    program.await_end_of_all(living)
    assert program.living() == []
