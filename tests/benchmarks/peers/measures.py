"""What is measured of a side: each measure is one client script's work, and gives figures by name.

All of it shares this machine's cores: compare figures of one run only.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from provisioner.local.cluster import LocalCluster
from tests.benchmarks.peers.sides import RunningSide, Side, Starter
from tests.support.cluster.running_engine import client_process, end_client, manager_calls, run_client

PUT_PRICE: Final = 5.0e-6
"""Dollars a PUT or LIST; of a GET and a HEAD `GET_PRICE`; DELETE and the calls of AWS Batch cost nothing.

https://aws.amazon.com/s3/pricing/, S3 Standard, us-east-1.
"""
GET_PRICE: Final = 4.0e-7
VCPU_PRICE_S: Final = 0.04048 / 3600
"""Dollars a vCPU-second: https://aws.amazon.com/fargate/pricing/, Linux on x86, us-east-1; memory comes on top."""
JOB_S: Final = 0.6
"""Of a fresh job before and after its function: Python, boto3, its client and its calls, on a core of its own.

Measured so for either runner. Jobs of this run can't tell: they share the cores, and fork what is imported.
"""
PRICES: Final = {
    "s3.PutObject": PUT_PRICE,
    "s3.ListObjectsV2": PUT_PRICE,
    "s3.GetObject": GET_PRICE,
    "s3.HeadObject": GET_PRICE,
}
RUNNER: Final = "scaler-batch-runner"
"""Caller of the jobs of both sides: they share the fork server's client."""
TIMEOUT_S: Final = 1_800.0
BLOB_BYTES: Final = 256 * 1024
SHARING: Final = 20
FLIGHT_S: Final = 1.0
HELD_S: Final = 5.0
HELD: Final = 5
CLIENT: Final = """
import json, time
def work(number, seconds=0.0, blob=b""):
    time.sleep(seconds)
    return number * number
def ends(number, seconds):
    time.sleep(seconds)
    return time.time()
def drive(client, what, count, seconds, size):
    started = time.monotonic()
    if what == "latency":
        spans = []
        for number in range(count):
            began = time.monotonic()
            assert client.submit(work, number).result() == number * number
            spans.append(time.monotonic() - began)
            time.sleep(0.3)
        return {"spans": sorted(spans)}
    if what == "flight":
        arrived, futures = {}, []
        for number in range(count):
            future = client.submit(ends, number, seconds)
            future.add_done_callback(lambda _, number=number: arrived.setdefault(number, time.time()))
            futures.append(future)
        ended = [future.result() for future in futures]
        time.sleep(0.2)
        return {"spans": sorted(arrived[number] - end for number, end in enumerate(ended))}
    blob = os.urandom(size)
    futures = [client.submit(work, number, seconds, blob) for number in range(count)]
    right = 0
    for number, future in enumerate(futures):
        try:
            right += future.result() == number * number
        except Exception as error:
            print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
    return {"right": right, "seconds": time.monotonic() - started}
with Client(address=ADDRESS) as client:
    given = json.loads(sys.argv[1])
    client.submit(abs, -1).result()
    print(json.dumps(drive(client, **given)))
"""


@dataclass(frozen=True)
class Bench:
    """A side that runs on a cluster."""

    cluster: LocalCluster
    starter: Starter
    side: Side
    running: RunningSide

    def drive(self, what: str, count: int, seconds: float = 0.0, size: int = 0) -> Mapping[str, Any]:
        """Let a client work; what it tells."""
        given = json.dumps({"what": what, "count": count, "seconds": seconds, "size": size})
        told: Mapping[str, Any] = json.loads(run_client(self.cluster, CLIENT, given, timeout=TIMEOUT_S))
        return told


Figures = dict[str, float]
Measure = Callable[[Bench], Figures]


def many(count: int, seconds: float) -> Measure:
    """So many tasks at once: how fast, and what they cost the manager and on AWS."""

    def measure(bench: Bench) -> Figures:
        aws, running = bench.cluster.aws, bench.running
        bench.drive("latency", 1)
        aws.reset_calls()
        cpu, attempts = running.cpu_s(), aws.jobs()["attempts"]
        told = bench.drive("many", count, seconds)  # its first task warms up, and counts in calls and attempts
        name = f"{count:,} x {seconds:g} s"
        return {
            f"{name}: tasks a second": told["right"] / told["seconds"],
            f"{name}: wrong or lost": float(count - told["right"]),
            f"{name}: CPU ms a task": (running.cpu_s() - cpu) * 1000 / count,
            f"{name}: peak RSS MiB": running.peak_rss_mib(),
            **_on_aws(bench, name, count, (aws.jobs()["attempts"] - attempts) * JOB_S + count * seconds),
        }

    return measure


def _on_aws(bench: Bench, name: str, count: int, vcpu_s: float) -> Figures:
    """Calls a task by operation, and dollars a million tasks; none of native workers, whose cores aren't priced."""
    if bench.side is Side.NATIVE:
        return {}
    callers = bench.cluster.aws.calls()["by_caller"]
    managers = sum((Counter(calls) for caller, calls in callers.items() if caller != RUNNER), Counter[str]())
    everybodys = managers + Counter(callers.get(RUNNER, {}))
    dollars = sum(PRICES.get(operation, 0.0) * times for operation, times in everybodys.items())
    dollars += vcpu_s * VCPU_PRICE_S
    by_operation = {f"{name}: {operation} a task": times / count for operation, times in sorted(managers.items())}
    return {
        f"{name}: calls a task": managers.total() / count,
        f"{name}: submissions": float(managers["batch.SubmitJob"]),
        f"{name}: dollars a million tasks": dollars / count * 1e6,
        **by_operation,
    }


def latency(count: int) -> Measure:
    """One task at a time on a warm manager."""

    def measure(bench: Bench) -> Figures:
        spans = bench.drive("latency", count + 1)["spans"][:-1]  # without the slowest: the first
        return {"one task: p50 s": quantile(spans, 0.5), "one task: p95 s": quantile(spans, 0.95)}

    return measure


def in_flight(count: int) -> Measure:
    """From the end of the function to the result at the client."""

    def measure(bench: Bench) -> Figures:
        spans = bench.drive("flight", count, FLIGHT_S)["spans"]
        return {
            f"end to result, {count:,} in flight: p50 s": quantile(spans, 0.5),
            f"end to result, {count:,} in flight: p95 s": quantile(spans, 0.95),
        }

    return measure


def sharing(bench: Bench) -> Figures:
    """Tasks that share a large argument."""
    bench.cluster.aws.reset_calls()
    told = bench.drive("many", SHARING, 0.0, BLOB_BYTES)
    name = f"{SHARING} x {BLOB_BYTES // 1024} KiB shared"
    figures = {f"{name}: wrong or lost": float(SHARING - told["right"])}
    if bench.side is not Side.NATIVE:
        calls = bench.cluster.aws.calls()
        figures[f"{name}: MiB through AWS"] = (_total(calls["bytes_in"]) + _total(calls["bytes_out"])) / 2**20
    return figures


def _total(counted: object) -> int:
    return sum(counted.values()) if isinstance(counted, Mapping) else int(str(counted))


def recovery(bench: Bench) -> Figures:
    """Kill the manager while tasks run, start it again: from the kill to the last result. Native tasks die with it."""
    if bench.side is Side.NATIVE:
        return {}
    given = json.dumps({"what": "many", "count": HELD, "seconds": HELD_S, "size": 0})
    client = client_process(bench.cluster, CLIENT, given)
    try:
        while bench.cluster.aws.jobs()["running"] < HELD:
            if client.poll() is not None:
                return {}
            time.sleep(0.2)
        before, killed = bench.cluster.aws.jobs()["attempts"], time.monotonic()
        bench.running.kill()
        bench.running.process = bench.starter.launch(bench.side).process
        output, _ = client.communicate(timeout=TIMEOUT_S)
    finally:
        end_client(client, bench.cluster)
    more = bench.cluster.aws.jobs()["attempts"] - before
    return {
        f"kill -9, {HELD} x {HELD_S:g} s running: s to the last result": time.monotonic() - killed,
        f"kill -9, {HELD} x {HELD_S:g} s running: wrong or lost": float(HELD - json.loads(output)["right"]),
        f"kill -9, {HELD} x {HELD_S:g} s running: attempts that ran again": float(more),
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


ECHO: Final = """
import time
with Client(address=ADDRESS) as client:
    count, started = int(sys.argv[1]), time.monotonic()
    futures = [client.submit(abs, number) for number in range(count)]
    assert [future.result() for future in futures] == list(range(count))
    print(time.monotonic() - started)
"""
"""For a local AWS without jobs, which answers with the first argument."""


def run_echoes(cluster: LocalCluster, count: int) -> float:
    """Seconds that so many tasks took."""
    return float(run_client(cluster, ECHO, str(count), timeout=TIMEOUT_S))


def manager_calls_of(cluster: LocalCluster) -> Counter[str]:
    """Calls of our manager since the counters were reset, by operation."""
    return Counter(manager_calls(cluster))
