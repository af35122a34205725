"""What a task with a large argument or a large result takes of memory, in its job and in the engine.

    python -m pytest tests/benchmarks/test_large_values.py -m benchmark -s

Peaks, as multiples of what the task is given and gives back: of the engine what it holds itself, of the job what its
processes hold together, beside what the fork server has for all of them.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from provisioner.local.cluster import LocalCluster
from provisioner.local.processes.fork_server.process_tree import children, tree
from tests.support.cluster.running_engine import run_client, running_engine

pytestmark = pytest.mark.benchmark

LARGE_MIB = 300
CLIENT = """
import time
def take(data):
    return len(data)
def give(count):
    return b"r" * count
def turn(data):
    return data[::-1]
mib, what = int(sys.argv[1]), sys.argv[2]
with Client(address=ADDRESS) as client:
    data = mib << 20 if what == "give" else os.urandom(mib << 20)
    begun = time.monotonic()
    future = client.submit_verbose(globals()[what], args=(data,), kwargs={}, capabilities={"memory": 4096})
    future.result(timeout=300)
    print(f"{time.monotonic() - begun:.1f}")
"""


@pytest.mark.parametrize(("what", "values"), [("take", 1), ("give", 1), ("turn", 2)])
def test_a_large_value_is_held_about_once(
    cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, values: int
) -> None:
    size = LARGE_MIB * values
    with running_engine(cluster, tmp_path / "engine.log", worker_manager_id=f"wm-large-{what}") as engine:
        run_client(cluster, CLIENT, "0", what)
        before = peak_mib(engine.process.pid)
        with JobWatch() as jobs:
            seconds = run_client(cluster, CLIENT, str(LARGE_MIB), what, timeout=300).strip()
        after = peak_mib(engine.process.pid)
    with capsys.disabled():
        print(
            f"\n{what} {size} MiB in {seconds} s: job {jobs.peak_mib / size:.2f} x; engine {after / size:.2f} x "
            f"({before:.0f} MiB before)"
        )


def peak_mib(pid: int) -> float:
    """Peak of the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class JobWatch:
    """Measures the jobs that begin meanwhile: what all of their processes hold together."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._before = {pid for child in children(os.getpid()) for pid in tree(child)}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.is_set():
            begun = {one for pid in self._before for one in tree(pid)} - self._before
            self.peak_mib = max(self.peak_mib, sum(map(own_mib, begun)))
            time.sleep(0.02)


def own_mib(pid: int) -> float:
    """What a process holds that is not a file's, of what it shares its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) / 1024
