"""Kill -9 at every point in turn: the successor gives every right value, and no function is called a second time.

Each case has single jobs and array jobs, more tasks than slots, and tasks on both sides of the point.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.engine_restarts import Afterlife, Succession, printed, scheduler_beside

pytestmark = pytest.mark.long

BOUND_S = 15
TASKS = 12
PREAMBLE = """
import json, time
folder, address = sys.argv[1:]

def work(n, seconds, folder):
    with open(os.path.join(folder, f"{n:02}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
    return n * n

def submit(n, seconds):
    # jobs of a shape of their own can't share an array: every third task is a single one
    shape = {"vcpus": 1, "memory": 1024 + n} if n % 3 == 0 else {}
    return client.submit_verbose(work, (n, seconds, folder), {}, shape)
"""

EVERY_VALUE = """
with Client(address=address) as client:
    futures = [submit(n, n % 4 * 0.3) for n in range(12)]
    print(json.dumps([future.result(timeout=60) for future in futures]))
"""
HALF_CANCELLED = """
with Client(address=address) as client:
    doomed = [submit(n, 300) for n in range(6)]
    futures = [submit(n, n % 4 * 0.3) for n in range(6, 12)]
    deadline = time.monotonic() + 30
    while len(os.listdir(folder)) < 12:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    cancelled = [future.cancel(timeout=60) for future in doomed]
    print(json.dumps([cancelled, [future.result(timeout=60) for future in futures]]))
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Where one engine after the other is killed, and what the client has in the end."""

    kills: tuple[str, ...]
    script: str
    slots: int
    expected: object

    def __str__(self) -> str:
        return "-then-".join(self.kills)


def delivering(*kills: str) -> Case:
    return Case(kills, EVERY_VALUE, 8, [n * n for n in range(TASKS)])


def cancelling(*kills: str) -> Case:
    return Case(kills, HALF_CANCELLED, TASKS, [[True] * 6, [n * n for n in range(6, TASKS)]])


CASES = (
    delivering("job-accepted", "lease-taken"),
    delivering("job-accepted", "inventory-taken"),
    delivering("result-stored", "predecessor-announced"),
    delivering("loading"),
    delivering("payload-written"),
    delivering("job-accepted"),
    delivering("result-read"),
    delivering("result-stored"),
    delivering("result-announced"),
    delivering("barrier-passed"),
    delivering("deleting"),
    delivering("deleted"),
    cancelling("terminating"),
    cancelling("terminated"),
    cancelling("job-gone"),
)
OVER_ZMQ = (
    delivering("job-accepted"),
    delivering("result-announced"),
    delivering("deleting"),
    cancelling("terminated"),
)


@pytest.fixture(scope="module")
def afterlife(cluster: LocalCluster) -> Iterator[Afterlife]:
    """Where successors go on while their grace lasts; by the end of the module each must have left nothing."""
    afterlife = Afterlife()
    yield afterlife
    afterlife.end()


def check(case: Case, cluster: LocalCluster, afterlife: Afterlife, folder: Path) -> None:
    """The client has everything within the bound of the successor's start, and each function was called once."""
    with ExitStack() as stack:
        address = stack.enter_context(scheduler_beside(cluster, folder))
        succession = Succession(cluster, address, str(case), case.slots, folder)
        with succession.client(PREAMBLE + case.script) as client:
            for point in case.kills:
                succession.kill_at(point)
            deadline = time.monotonic() + BOUND_S
            successor = stack.enter_context(succession.successor())
            assert printed(client, deadline, successor) == case.expected
        assert succession.call_counts() == [1] * TASKS
        afterlife.keep(succession, successor, stack.pop_all())


# the transport is a decorator of its own: together with the case it would lose the cluster's scope
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cluster", ["ymq"], indirect=True)
def test_a_successor_gives_what_is_due_and_calls_nothing_twice(
    case: Case, cluster: LocalCluster, afterlife: Afterlife, tmp_path: Path
) -> None:
    check(case, cluster, afterlife, tmp_path)


@pytest.mark.parametrize("case", OVER_ZMQ, ids=str)
@pytest.mark.parametrize("cluster", ["zmq"], indirect=True)
def test_over_the_other_transport_neither(
    case: Case, cluster: LocalCluster, afterlife: Afterlife, tmp_path: Path
) -> None:
    check(case, cluster, afterlife, tmp_path)
