"""What viewers cost a real engine. Prints figures beside the bar.

python -m pytest tests/benchmarks/test_telemetry_cost.py -m benchmark -s
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engine.telemetry.endpoints import list_engines
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, client_process, running_engine

pytestmark = pytest.mark.benchmark

SECONDS = float(os.environ.get("VIEWERS_S", "20"))
VIEWER = """
import sys
from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.endpoints import find_endpoint
from engine.telemetry.schema.messages import GetTrends
client = TelemetryClient(find_endpoint(sys.argv[1]))
turn = 0
while True:
    client.poll(0.1)
    turn += 1
    if turn % 20 == 0:
        client.ask(GetTrends(), lambda answer: None)
"""
WORK = """
import time
with Client(address=ADDRESS) as client:
    while True:
        client.map(lambda x: time.sleep(0.5) or x, range(100))
"""


def test_cost_of_viewers(cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_engine(cluster, tmp_path / "log") as engine:
        engine.wait_for_log("scheduler: connected")
        with client_process(cluster, WORK) as work:
            time.sleep(5)
            for count in (0, 1, 5, 0):
                with viewers(engine, count):
                    share = cpu_share(engine)
                report(capsys, f"engine at work, {count} viewers", f"{share:.2f} % of a core")
            report(capsys, "memory without a viewer", f"{growth(engine) / 1024:+.0f} KiB (rows of ended jobs)")
            with viewers(engine, 1) as [stopped]:
                stopped.send_signal(signal.SIGSTOP)
                report(capsys, "memory in front of a stopped viewer", f"{growth(engine) / 1024:+.0f} KiB")
                stopped.send_signal(signal.SIGCONT)
            work.kill()


def report(capsys: pytest.CaptureFixture[str], what: str, figure: str) -> None:
    with capsys.disabled():
        print(f"\n{what:<45} {figure:<30} over {SECONDS:.0f} s; bar: 1 percentage point between 0 and 5")


@contextmanager
def viewers(engine: Engine, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    [here] = [one for one in list_engines() if one.info.pid == engine.process.pid]
    command = [sys.executable, "-c", VIEWER, str(here.folder)]
    running = [subprocess.Popen(command) for _ in range(count)]
    time.sleep(3 if count else 0)
    try:
        yield running
    finally:
        for each in running:
            each.kill()
            each.wait()


def cpu_share(engine: Engine) -> float:
    process = psutil.Process(engine.process.pid)
    before, started = process.cpu_times(), time.monotonic()
    time.sleep(SECONDS)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return float(100 * used / (time.monotonic() - started))


def growth(engine: Engine) -> int:
    process = psutil.Process(engine.process.pid)
    before = process.memory_info().rss
    time.sleep(SECONDS)
    return int(process.memory_info().rss - before)
