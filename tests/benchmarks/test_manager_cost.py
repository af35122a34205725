"""What the manager costs and how fast it answers. Prints figures beside the bar and the peer's; asserts values only.

    python -m pytest tests/benchmarks -m benchmark -s

The peer is Scaler 2.9's own AWS manager with its start-up defect patched, measured on two cores against a faster
simulator of AWS. Here all of the local AWS, Scaler and the client share the same two cores.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, manager_calls, run_client, running_engine

pytestmark = pytest.mark.benchmark


@dataclass
class Cost:
    """What the engine's process used during a block."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_rss_mib: float = 0.0


@contextmanager
def measured(engine: Engine) -> Iterator[Cost]:
    process = psutil.Process(engine.process.pid)
    cost, started, before = Cost(), time.monotonic(), _cpu(process)
    yield cost
    cost.cpu_s = _cpu(process) - before
    cost.wall_s = time.monotonic() - started
    status = Path(f"/proc/{process.pid}/status").read_text()
    cost.peak_rss_mib = int(status.split("VmHWM:")[1].split()[0]) / 1024


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str, str, str, str], None]:
    def row(what: str, figure: str, bar: str, peer: str) -> None:
        with capsys.disabled():
            print(f"\n{what:<58} {figure:<44} bar {bar:<30} peer {peer}")

    return row


Report = Callable[[str, str, str, str], None]


def test_latency_of_one_task(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    script = """
    import time
    with Client(address=ADDRESS) as client:
        client.submit(abs, -1).result()
        for _ in range(20):
            started = time.monotonic()
            client.submit(abs, -1).result()
            print(time.monotonic() - started)
            time.sleep(0.5)
    """
    with running_engine(cluster, tmp_path / "log"):
        seconds = sorted(map(float, run_client(cluster, script).split()))
    figure = f"median {statistics.median(seconds):.3f} s, worst {seconds[-1]:.3f} s"
    report("one task, warm manager", figure, "<= 0.6 s median", "2.53 s")


def test_first_task_on_an_idle_manager(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    seconds = []
    script = """
    import time
    with Client(address=ADDRESS) as client:
        started = time.monotonic()
        client.submit(abs, -1).result()
        print(time.monotonic() - started)
    """
    for _ in range(10):
        with running_engine(cluster, tmp_path / "log") as engine:
            engine.wait_for_log("scheduler: connected")
            time.sleep(1.3)  # idle, and out of step with the heartbeats
            seconds.append(float(run_client(cluster, script)))
    figure = f"median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s"
    report("first task on an idle manager (10 times)", figure, "median <= 2 s, worst <= 3 s", "3.5 s")


def test_fifty_squares_on_a_warm_manager(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    script = """
    import time
    with Client(address=ADDRESS) as client:
        client.submit(abs, -1).result()
        for _ in range(5):
            started = time.monotonic()
            assert client.map(lambda x: x ** 2, range(50)) == [x ** 2 for x in range(50)]
            print(time.monotonic() - started)
    """
    with running_engine(cluster, tmp_path / "log"):
        seconds = list(map(float, run_client(cluster, script).split()))
    report("50 x squares, warm manager", f"median {statistics.median(seconds):.2f} s", "<= 2.5 s", "4.24 s")


def test_two_thousand_tasks(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    script = """
    with Client(address=ADDRESS) as client:
        assert client.map(lambda x: x ** 2, range(2000)) == [x ** 2 for x in range(2000)]
    """
    with running_engine(cluster, tmp_path / "log", max_concurrent_jobs=2000) as engine:
        run_client(cluster, "with Client(address=ADDRESS) as client: client.submit(abs, -1).result()")
        cluster.aws.reset_calls()
        with measured(engine) as cost:
            run_client(cluster, script, timeout=300)
        calls = manager_calls(cluster)
    total = sum(calls.values())
    figure = f"{cost.cpu_s / 2:.2f} ms CPU, {total / 2000:.2f} calls a task, {cost.peak_rss_mib:.0f} MiB"
    report("2,000 tasks", figure, "<= 5 ms, <= 1.2, <= 200 MiB", "17 ms, 4.1, 126 MiB")
    report("  wall, calls", f"{cost.wall_s:.1f} s, {dict(sorted(calls.items()))}", "all right", "95 to 105 s")


def test_first_result_of_two_thousand_tasks(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    """As many slots as tasks: jobs, the client's sending and the manager share the machine."""
    script = """
    import threading, time
    with Client(address=ADDRESS) as client:
        client.submit(abs, -1).result()
        has_result, when = threading.Event(), []
        def note(_):
            when.append(time.monotonic())
            has_result.set()
        started = time.monotonic()
        futures = []
        for number in range(2000):
            futures.append(client.submit(abs, -number))
            futures[-1].add_done_callback(note)
        sent = time.monotonic()
        assert [future.result() for future in futures] == list(range(2000))
        print(sent - started, when[0] - started, when[-1] - started)
    """
    with running_engine(cluster, tmp_path / "log", max_concurrent_jobs=2000):
        sent, first, last = map(float, run_client(cluster, script, timeout=300).split())
    report("2,000 tasks, 2,000 slots: the first result", f"{first:.2f} s", "<= 2 s", "-")
    report("  sent, all results", f"{sent:.1f} s, {last:.1f} s", "-", "-")


def test_waiting_for_one_long_job(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    script = "import time\nwith Client(address=ADDRESS) as client: client.submit(lambda: time.sleep(20)).result()"
    with running_engine(cluster, tmp_path / "log") as engine:
        run_client(cluster, "with Client(address=ADDRESS) as client: client.submit(abs, -1).result()")
        with measured(engine) as cost:
            run_client(cluster, script)
    report("waiting for one 20 s job", f"{100 * cost.cpu_s / cost.wall_s:.2f} % of a core", "<= 2 %", "100 %")


def test_a_short_task_behind_a_long_one(cluster: LocalCluster, tmp_path: Path, report: Report) -> None:
    script = """
    import time
    with Client(address=ADDRESS) as client:
        client.submit(abs, -1).result()
        long = client.submit(lambda: time.sleep(25))
        time.sleep(4)
        started = time.monotonic()
        client.submit(abs, -1).result()
        print(time.monotonic() - started)
        long.cancel()
    """
    with running_engine(cluster, tmp_path / "log"):
        seconds = float(run_client(cluster, script))
    report("a short task 4 s behind a 25 s one", f"{seconds:.2f} s", "<= 1.5 s", "22.6 s")
