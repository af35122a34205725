"""A program that ties itself to its parent before it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import scaler_batch
from console.processes import tied_program
from console.processes.tied_program import tied


def test_it_is_the_process_that_was_started() -> None:
    command = tied((sys.executable, "-c", "import os; print(os.getpid())"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.communicate()[0] == f"{process.pid}\n"


def test_nothing_begins_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    touch = (sys.executable, "-c", "import sys; open(sys.argv[1], 'w')", str(tmp_path / "begun"))
    command = scaler_batch.command(tied_program.__name__, "1", *touch)
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "begun").exists()
