"""Why a job waits, asked of a running engine over its sockets while the account is wrong in one way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.endpoints import list_engines
from engine.telemetry.schema.messages import (
    CheckStatus,
    Diagnose,
    Diagnosed,
    Diagnosis,
    Hello,
    JobRow,
    JobState,
    Welcome,
)
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.running_engine import Engine, disabled_queue, running_engine

TASK = "with Client(address=ADDRESS) as client: print(client.submit(lambda: 7).result())"
SECONDS = 60.0


@pytest.fixture
def engine(cluster: LocalCluster, log: Path) -> Iterator[Engine]:
    with running_engine(cluster, log) as engine:
        engine.wait_for_log("scheduler: connected")
        yield engine


@pytest.fixture(autouse=True)
def no_capacity(cluster: LocalCluster) -> Iterator[None]:
    """Jobs stay RUNNABLE until a test clears the fault."""
    cluster.aws.fault("no-capacity:1")
    yield
    cluster.aws.clear_faults()


@contextmanager
def looking_at(engine: Engine) -> Iterator[TelemetryClient]:
    [here] = [one for one in list_engines() if one.info.pid == engine.process.pid]
    with closing(TelemetryClient(here.endpoint)) as client:
        yield client


def poll(client: TelemetryClient, until: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline, client.replica.rows
        client.poll(0.1)


def diagnosis(client: TelemetryClient, request: Diagnose) -> Diagnosis:
    """As soon as it is there; meanwhile others are answered."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = client.call(request)
        assert isinstance(answer, Diagnosed), answer
        if not answer.under_way:
            assert answer.diagnosis is not None, answer.note
            return answer.diagnosis
        assert isinstance(client.call(Hello()), Welcome)
        assert time.monotonic() < deadline
        client.poll(0.1)


@pytest.mark.long
def test_a_job_in_a_disabled_queue_is_told_so_and_runs_when_the_queue_is_enabled(
    cluster: LocalCluster, engine: Engine
) -> None:
    with looking_at(engine) as client, talking_client(cluster, TASK) as script:

        def waiting() -> list[JobRow]:
            return [row for row in client.replica.rows.values() if row.state is JobState.RUNNABLE]

        poll(client, waiting)
        with disabled_queue(cluster):
            found = diagnosis(client, Diagnose(task_id=waiting()[0].task_id))
        cluster.aws.clear_faults()
        printed = script.finish(SECONDS)
    assert (found.verdict, found.checks[0].result) == ("the queue is disabled", CheckStatus.FAIL)
    assert f"--job-queue {cluster.resources.job_queue} --state ENABLED" in found.remedies[0].command
    assert [check.source for check in found.checks[-3:]] == ["engine"] * 3
    assert printed == "7\n"
