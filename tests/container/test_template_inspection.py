"""What loading a function left behind, as the kernel tells it: whether its process may be forked from."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.paths import CONTAINER

INSPECTING: Final = f"""
import os, sys
sys.path.insert(0, {str(CONTAINER)!r})
from batch_job_template.inspection import Inspection
folder = sys.argv[1]
inspection = Inspection(folder)
exec(sys.argv[2])
refusal = inspection.refusal()
print(refusal and refusal.name)
"""
MAPPED: Final = """
import ctypes, mmap
device = os.open("/dev/zero", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
numbers = 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, device
assert libc.mmap(None, *numbers, ctypes.c_long(0)) != ctypes.c_void_p(-1).value
os.close(device)
"""
ENDING: Final = """
class Ending:
    def __del__(self):
        global kept
        kept = open("/dev/zero")
ending = Ending()
ending.itself = ending
del ending
"""


def refusal_of(load: str, folder: Path) -> str:
    """The name of the refusal, or None, in a process that has run `load`."""
    command = [sys.executable, "-c", INSPECTING, str(folder), load]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as inspected:
        assert inspected.stdout is not None
        return inspected.stdout.readline().strip()


@pytest.mark.parametrize(
    ("load", "refusal"),
    [
        ("pass", "None"),
        ("import json, decimal, logging", "None"),
        ("device = os.open('/dev/zero', os.O_RDWR)", "FILES"),
        ("os.close(0); file = os.open(sys.executable, os.O_RDONLY); assert file == 0", "FILES"),
        (ENDING, "FILES"),
        (MAPPED, "SHARED_MEMORY"),
        ("import _thread, time; _thread.start_new_thread(time.sleep, (600,))", "THREADS"),
        ("child = os.fork() or os._exit(len(os.read(0, 1)))", "PROCESSES"),
        ("open(os.path.join(folder, 'left'), 'w').close()", "TEMPORARY_FILES"),
    ],
    ids=[
        *("nothing", "modules", "an open device", "a number used again", "a file that a finalizer opens"),
        *("a mapped device that is closed", "a thread that Python doesn't know", "a process", "a temporary file"),
    ],
)
def test_what_a_load_leaves_is_refused_by_its_kind(load: str, refusal: str, tmp_path: Path) -> None:
    """A device that stands in for a GPU: an initialised CUDA has /dev/nvidia* open, and maps it."""
    assert refusal_of(load, tmp_path) == refusal


@pytest.fixture
def inspection(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(CONTAINER))
    return importlib.import_module("batch_job_template.inspection")  # as the template imports it


@pytest.mark.parametrize(("threads", "expected"), [(1, False), (2, True)])
def test_a_thread_that_a_listing_lacks_is_counted(
    inspection: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, threads: int, expected: bool
) -> None:
    """It stands behind one that ends meanwhile: so the kernel's listing broke off, 28 times of 150,000."""
    (tmp_path / "task" / str(os.getpid())).mkdir(parents=True)
    (tmp_path / "status").write_text(f"Name:\tpython\nRssAnon:\t  1024 kB\nThreads:\t{threads}\n")
    monkeypatch.setattr(inspection, "_OWN", tmp_path)
    monkeypatch.setattr(inspection, "_PAUSE_S", 0.0)
    monkeypatch.setattr(inspection.threading, "active_count", lambda: 1)
    assert inspection._keeps_threads() is expected


HIDDEN: Final = """
import pathlib
from batch_job_template import inspection as inspections
inspections._OWN = pathlib.Path(folder)
os.makedirs(inspections._OWN / "fd")
os.makedirs(inspections._OWN / "task" / str(os.getpid()))
for name in ("maps", f"task/{os.getpid()}/children"):
    (inspections._OWN / name).touch()
child = os.fork() or os._exit(len(os.read(0, 1)))
"""


def test_a_process_that_a_listing_lacks_is_found(tmp_path: Path) -> None:
    """As with threads: 4 listings of 90,000 broke off."""
    assert refusal_of(HIDDEN, tmp_path) == "PROCESSES"


def test_where_the_system_tells_nothing_nothing_is_taken_for_allowed(
    inspection: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "fd").mkdir()
    monkeypatch.setattr(inspection, "_OWN", tmp_path)
    with pytest.raises(FileNotFoundError):
        inspection._shared_mappings()
    with pytest.raises(FileNotFoundError):
        inspection._own_bytes()
