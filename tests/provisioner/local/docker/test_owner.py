"""Containers belong to a process for as long as that process lives."""

from __future__ import annotations

import os
import subprocess
import sys

from provisioner.local.docker import owner


def test_a_process_that_runs_owns_its_containers() -> None:
    assert owner.is_alive(owner.this_process())


def test_a_process_that_ended_or_another_with_its_id_owns_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert not owner.is_alive(owner.owner_of(ended.pid))
    assert not owner.is_alive(f"{os.getpid()}-1")
