"""What an operator sees of a running engine over its sockets, and what he can do to it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.endpoints import list_engines
from engine.telemetry.schema.messages import (
    CancelJobs,
    Diagnose,
    Diagnosed,
    Done,
    Drain,
    GetJob,
    GetLanes,
    Job,
    JobRow,
    JobState,
    Lanes,
    LightState,
    LinkId,
    ManagerView,
    SetConcurrency,
    Snapshot,
)
from provisioner.local.cluster import LocalCluster
from provisioner.local.processes.scaler_processes import free_ports
from tests.support.cluster.running_engine import Engine, keys_left, running_client, running_engine

SUCCEEDING = 12
TASKS = f"""
import time
with Client(address=ADDRESS) as client:
    done = [client.submit(lambda x: time.sleep(0.5) or x, number) for number in range({SUCCEEDING})]
    endless = client.submit(lambda: time.sleep(600))
    assert [future.result() for future in done] == list(range({SUCCEEDING}))
    try:
        endless.result()
    except Exception as error:
        print(type(error).__name__, error)
"""

PACKED = """
import time
def slow(number):
    time.sleep(4)
with Client(address=ADDRESS) as client:
    asked = [client.submit_verbose(slow, args=(n,), kwargs={}, capabilities={"vcpus": 1}) for n in range(3)]
    print("sent", flush=True)
    [future.result() for future in asked]
"""


class Operator:
    """Looks at one engine with its own client."""

    def __init__(self, engine: Engine) -> None:
        [here] = [one for one in list_engines() if one.info.pid == engine.process.pid]
        self.engine = engine
        self.client = TelemetryClient(here.endpoint, allow_control=True)
        self.states: dict[str, list[JobState]] = {}

    def look(self, until: Callable[[], object], timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < deadline, f"not within {timeout} s: {self.rows}\n{self.engine.log}"
            self.client.poll(0.1)
            for row in self.rows:
                seen = self.states.setdefault(row.task_id, [])
                if row.state not in seen:
                    seen.append(row.state)

    @property
    def rows(self) -> list[JobRow]:
        return list(self.client.replica.rows.values())

    def in_state(self, state: JobState) -> list[JobRow]:
        return [row for row in self.rows if row.state is state]

    @property
    def snapshot(self) -> Snapshot:
        assert self.client.replica.snapshot is not None
        return self.client.replica.snapshot

    @property
    def manager(self) -> ManagerView:
        [manager] = self.snapshot.managers
        return manager


@pytest.fixture
def engine(cluster: LocalCluster, log: Path) -> Iterator[Engine]:
    with running_engine(cluster, log, max_concurrent_jobs=4) as engine:
        engine.wait_for_log("scheduler: connected")
        yield engine


def test_an_operator_sees_every_task_through_ends_one_and_drains_the_engine(
    cluster: LocalCluster, engine: Engine
) -> None:
    operator = Operator(engine)
    with closing(operator.client), running_client(cluster, TASKS) as script:
        operator.look(lambda: operator.in_state(JobState.RUNNING))
        raised = operator.client.call(SetConcurrency("wm-test", 50), timeout_s=5)
        operator.look(lambda: len(operator.in_state(JobState.SUCCEEDED)) == SUCCEEDING)
        _each_passed_the_states_in_order(operator)
        _counts_add_up(operator)
        _a_job_is_told_in_full(operator)
        _each_job_is_in_a_lane_of_its_own(operator)

        [endless] = operator.in_state(JobState.RUNNING)
        ended = operator.client.call(CancelJobs((endless.task_id, "ff" * 16)), timeout_s=5)
        output, _ = script.communicate(timeout=60)
        operator.look(lambda: operator.client.replica.rows[endless.task_id].state is JobState.CANCELLED)

        drained = operator.client.call(Drain(), timeout_s=5)
        assert engine.process.wait(30) == 0
    assert isinstance(raised, Done)
    assert isinstance(drained, Done)
    assert isinstance(ended, Done)
    assert list(ended.refused) == ["ff" * 16]
    assert output.startswith("RuntimeError")
    assert "cancelled by the operator of worker manager wm-test" in output
    assert not [one for one in list_engines() if one.info.pid == engine.process.pid]


def _each_job_is_in_a_lane_of_its_own(operator: Operator) -> None:
    """In a slot one after the other."""
    wanted = GetLanes(start=operator.snapshot.at - 100, cell_s=1.0, cells=120)
    lanes = operator.client.call(wanted, timeout_s=5)
    assert isinstance(lanes, Lanes)
    assert sum(lane.jobs for lane in lanes.lanes) == SUCCEEDING + 1
    assert all(span.busy + span.waiting < 1.02 for lane in lanes.lanes for span in lane.spans)
    assert {span.task_id for lane in lanes.lanes for span in lane.spans} >= {
        row.task_id for row in operator.in_state(JobState.RUNNING)
    }


@pytest.mark.long
def test_an_operator_who_is_tired_of_a_drain_terminates_what_runs(cluster: LocalCluster, engine: Engine) -> None:
    operator, earlier = Operator(engine), keys_left(cluster, "wm-test")  # fences of other tests stay for a while
    endless = "import time\nwith Client(address=ADDRESS) as client: client.submit(lambda: time.sleep(600)).result()"
    with closing(operator.client), running_client(cluster, endless):
        operator.look(lambda: operator.in_state(JobState.RUNNING))
        operator.client.call(Drain(), timeout_s=5)
        operator.look(lambda: operator.manager.draining)
        operator.client.call(Drain(mode="terminate"), timeout_s=5)
        assert engine.process.wait(30) == 0
    assert [key for key in keys_left(cluster, "wm-test") if key not in earlier] == []


def _each_passed_the_states_in_order(operator: Operator) -> None:
    order = list(JobState)
    for seen in operator.states.values():
        assert seen == sorted(seen, key=order.index)
    assert {state for seen in operator.states.values() for state in seen} >= {
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.SUCCEEDED,
    }


def _counts_add_up(operator: Operator) -> None:
    manager = operator.manager
    assert sum(manager.counts.values()) == len(operator.rows) == operator.snapshot.jobs_kept == SUCCEEDING + 1
    assert manager.counts[JobState.SUCCEEDED] == SUCCEEDING
    assert (manager.slots_used, manager.slots) == (1, 50)
    assert sum(route.jobs for route in manager.routes) == SUCCEEDING + 1
    assert manager.health.state is LightState.OK
    assert {link.id for link in manager.links} == set(LinkId) - {LinkId.BUDGET}  # nobody gave one
    assert next(call.calls for call in manager.calls if call.api == "SubmitJob") >= 1


def _a_job_is_told_in_full(operator: Operator) -> None:
    row = operator.in_state(JobState.SUCCEEDED)[0]
    answer = operator.client.call(GetJob(row.task_id[:20]), timeout_s=5)
    assert isinstance(answer, Job)
    record = answer.record
    assert [record.transitions[0].state, record.transitions[-1].state] == [JobState.QUEUED, JobState.SUCCEEDED]
    assert [one.at for one in record.transitions] == sorted(one.at for one in record.transitions)
    assert row.route == "inline"
    assert "bytes" in record.why_route
    assert row.job_id
    assert row.duration_s is not None
    assert 0.1 < row.duration_s < 30  # from where it was seen to run to where it was seen to have ended
    assert record.peak_bytes
    assert record.client.startswith("Client|")


@pytest.mark.long
def test_a_task_behind_its_mates_is_pending_and_why_says_so_and_a_wish_that_nobody_told_is_marked(
    cluster: LocalCluster, log: Path
) -> None:
    nobody = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with running_client(cluster, PACKED) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "sent\n"  # they wait at the scheduler, so that one job gets all of them
        with running_engine(cluster, log, max_concurrent_jobs=1, pack=3, scheduler_monitor_address=nobody) as engine:
            engine.wait_for_log("scheduler: connected")
            operator = Operator(engine)
            with closing(operator.client):
                operator.look(lambda: operator.in_state(JobState.RUNNING) and operator.in_state(JobState.PENDING))
                behind = operator.in_state(JobState.PENDING)[-1]
                operator.look(lambda: (found := _why(operator, behind)) is not None and not found.under_way)
                found = _why(operator, behind)
                _, errors = script.communicate(timeout=60)
                assert script.returncode == 0, errors
                operator.look(lambda: len(operator.in_state(JobState.SUCCEEDED)) == 3)
                assert all(row.asks_unknown for row in operator.rows)
    assert found is not None
    assert found.diagnosis is not None
    assert found.diagnosis.text.startswith("Its container runs up to 3 tasks, one after the other")
    assert re.search(r"Its job runs 3 tasks, one after the other: this is number [23]\.", found.diagnosis.text)


def _why(operator: Operator, row: JobRow) -> Diagnosed | None:
    answer = operator.client.call(Diagnose(task_id=row.task_id), timeout_s=5)
    return answer if isinstance(answer, Diagnosed) else None
