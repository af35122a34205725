"""What a task with a large argument and a large result takes of memory, in its job and in the engine.

    python -m pytest tests/benchmarks/test_large_values.py -m benchmark -s

The figures are peaks of what the processes themselves hold, beside what they hold for a small task.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import run_client, running_engine

pytestmark = pytest.mark.benchmark

LARGE_MIB = 300
CLIENT = """
import json
def small(data):
    return len(data)
def echo(data):
    return bytes(len(data))
asked = {"memory": 4096}
with Client(address=ADDRESS, profiling=True) as client:
    data = os.urandom(int(sys.argv[1]) << 20)
    functions = (small, echo)[: int(sys.argv[2])]
    futures = [client.submit_verbose(each, args=(data,), kwargs={}, capabilities=asked) for each in functions]
    for future in futures:
        future.result(timeout=300)
    print(json.dumps([future.profiling_info().memory_peak for future in futures]))
"""


@pytest.mark.parametrize(("what", "count"), [("argument", 1), ("argument and result", 2)])
def test_a_large_value_is_held_about_once(
    cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, count: int
) -> None:
    with running_engine(cluster, tmp_path / "engine.log", worker_manager_id=f"wm-large-{count}") as engine:
        run_client(cluster, CLIENT, "0", "1")
        before = peak_mib(engine.process.pid)
        peaks = json.loads(run_client(cluster, CLIENT, str(LARGE_MIB), str(count)))
        after = peak_mib(engine.process.pid)
    with capsys.disabled():
        jobs = ", ".join(f"{peak / 2**20 / LARGE_MIB:.2f} x" for peak in peaks)
        print(f"\n{LARGE_MIB} MiB of {what}: job {jobs}; engine {after / LARGE_MIB:.2f} x ({before:.0f} MiB before)")


def peak_mib(pid: int) -> float:
    """Peak of the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
