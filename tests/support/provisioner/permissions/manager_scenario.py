"""A worker manager, its jobs and its clients, through about everything that makes one of them call AWS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.endpoints import list_engines
from engine.telemetry.schema.messages import Diagnose, Diagnosed, GetLogs, JobState, LogPage
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.running_engine import Engine, run_client, running_engine
from tests.support.provisioner.permissions.matching import Need
from tests.support.provisioner.permissions.recording import RecordingAWS
from tests.support.provisioner.permissions.stack_lifecycle import StackLife

SECONDS = 60.0

WORK = """
import os, sys, time
def square(x):
    return x * x
def nap(mark):
    open(mark, "w").close()
    time.sleep(60)
def die():
    print("last words", flush=True)
    os._exit(3)
with Client(address=ADDRESS) as client:
    assert client.submit(square, 3).result(timeout=60) == 9
    assert client.submit(len, os.urandom(300_000)).result(timeout=60) == 300_000
    assert sum(one.result(timeout=60) for one in [client.submit(square, n) for n in range(20)]) == 2470
    try:
        client.submit(die).result(timeout=60)
    except Exception as error:
        assert "last words" in repr(error.__notes__), error
    mark = sys.argv[1]
    running = client.submit(nap, mark)
    while not os.path.exists(mark):
        time.sleep(0.05)
    assert running.cancel(timeout=60)
    pair = [client.submit(nap, mark + name) for name in "ab"]
    while not all(os.path.exists(mark + name) for name in "ab"):
        time.sleep(0.05)
    assert all(one.cancel(timeout=60) for one in pair)
"""
TALKING = """
import os, time
def talk(until):
    print("it runs", flush=True)
    while not os.path.exists(until):
        time.sleep(0.05)
with Client(address=ADDRESS) as client:
    client.submit(talk, {until!r}).result(timeout=120)
"""
WAITING = "with Client(address=ADDRESS) as client: print(client.submit(abs, -7).result(timeout=120))"


def managers_day(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, set[Need]]:
    """What its calls and its jobs' needed, by program. `patch` is for the time of the caller."""
    aws = RecordingAWS(folder / "aws")
    cluster = LocalCluster(state_dir=folder / "cluster")
    cluster.aws = aws
    with cluster:
        patch.chdir(folder)
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        life = StackLife(aws)
        life.take_pushed_image()
        life.start_instances()
        with running_engine(cluster, folder / "engine.log") as engine:
            run_client(cluster, WORK, str(folder / "mark"))
            _read_the_log_of_a_running_job(cluster, engine, folder / "until")
            _diagnose_a_waiting_job(cluster, engine)
        return aws.needs()


def _read_the_log_of_a_running_job(cluster: LocalCluster, engine: Engine, until: Path) -> None:
    deadline = time.monotonic() + SECONDS
    with _looking_at(engine) as viewer, talking_client(cluster, TALKING.format(until=str(until))) as client:
        while not _log(viewer).lines:
            assert time.monotonic() < deadline
            viewer.poll(0.1)
        until.touch()
        client.finish(SECONDS)


def _log(viewer: TelemetryClient) -> LogPage:
    page = viewer.call(GetLogs())
    assert isinstance(page, LogPage), page
    return page


def _diagnose_a_waiting_job(cluster: LocalCluster, engine: Engine) -> None:
    cluster.aws.fault("no-capacity:1")
    with _looking_at(engine) as viewer, talking_client(cluster, WAITING) as client:
        job = _waiting_job(viewer)
        _diagnosis(viewer, Diagnose(task_id=job))
        cluster.aws.clear_faults()
        assert client.finish(SECONDS) == "7\n"


@contextmanager
def _looking_at(engine: Engine) -> Iterator[TelemetryClient]:
    (here,) = [one for one in list_engines() if one.info.pid == engine.process.pid]
    with closing(TelemetryClient(here.endpoint)) as client:
        yield client


def _waiting_job(viewer: TelemetryClient) -> str:
    deadline = time.monotonic() + SECONDS
    while True:
        for row in viewer.replica.rows.values():
            if row.state is JobState.RUNNABLE:
                return row.task_id
        assert time.monotonic() < deadline, viewer.replica.rows
        viewer.poll(0.1)


def _diagnosis(viewer: TelemetryClient, request: Diagnose) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        answer = viewer.call(request)
        assert isinstance(answer, Diagnosed), answer
        if not answer.under_way:
            assert answer.diagnosis is not None, answer.note
            return
        assert time.monotonic() < deadline
        viewer.poll(0.1)
