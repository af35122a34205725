"""Locks of runs: one at a time, told with who holds it, and gone with its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.errors import ProvisionError
from provisioner.stack.private_files import one_run

HOLD = """
import sys
from pathlib import Path
from provisioner.stack.private_files import one_run
with one_run(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        one_run(lock, "the stack"),
        pytest.raises(ProvisionError, match=rf"process {os.getpid()}\) is at work on the stack"),
        one_run(lock, "the stack"),
    ):
        pass


def test_afterwards_the_next_run_goes_on_and_nothing_is_left(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    for _ in range(2):
        with one_run(lock, "the stack"):
            assert lock.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ProvisionError, match=f"process {other.pid}"), one_run(lock, "it"):
            pass
        other.kill()
    with one_run(lock, "it"):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="name another place with --config"), one_run(tmp_path / "no" / "lock", ""):
        pass
