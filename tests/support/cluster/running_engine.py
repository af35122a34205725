"""Real processes for the end-to-end tests: the engine as it runs in production, and clients as scripts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from engine.config.settings import EngineConfig, ManagerConfig, OnExit
from provisioner.local.cluster import LocalCluster

CLIENT_TIMEOUT_S = 120
PROGRAM = ("-m", "engine")


class Engine:
    """`python -P -m engine`, with its log in a file; `program` is what Python runs with the engine's arguments."""

    def __init__(
        self, config: EngineConfig, environ: Mapping[str, str], log: Path, program: Sequence[str] = PROGRAM
    ) -> None:
        self.log_path = log
        arguments = [sys.executable, "-P", *program, "--settings", msgspec.json.encode(config).decode()]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                arguments, env={**os.environ, **environ}, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def wait_for_log(self, pattern: str, timeout: float = 20.0) -> None:
        """Return when a line of the log matches; fail with the log when none does in time."""
        await_condition(lambda: re.search(pattern, self.log) is not None, timeout, lambda: self.log)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 60.0) -> int:
        """Send a signal, wait for the end, and give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)


def manager_config(cluster: LocalCluster, **changes: object) -> ManagerConfig:
    """A worker manager on this cluster's resources."""
    values: dict[str, object] = {
        "scheduler_address": cluster.scheduler_address,
        "scheduler_monitor_address": cluster.monitor_address,
        "worker_manager_id": "wm-test",
        "job_queue": cluster.resources.job_queue,
        "job_definition": cluster.resources.job_definition,
        "s3_bucket": cluster.resources.bucket,
        "aws_region": "us-east-1",
        "pack": "off",  # most tests count jobs
    }
    if "scheduler_address" in changes:
        del values["scheduler_monitor_address"]  # another scheduler has another monitor
    return msgspec.convert({**values, **changes}, ManagerConfig)


@contextmanager
def running_engine(
    cluster: LocalCluster,
    log: Path,
    *,
    environ: Mapping[str, str] | None = None,
    on_exit: OnExit = "drain",
    **changes: object,
) -> Iterator[Engine]:
    """An engine on this cluster; ended by force if the test did not end it."""
    managers = (manager_config(cluster, **changes),)
    config = EngineConfig(managers=managers, drain_timeout_seconds=30, on_exit=on_exit)
    engine = Engine(config, {**cluster.environment(), **(environ or {})}, log)
    try:
        yield engine
    finally:
        if engine.process.poll() is None:
            _end(engine)


def _end(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGTERM)
    try:
        engine.process.wait(20)
    except subprocess.TimeoutExpired:
        engine.process.send_signal(signal.SIGTERM)  # a task that the test left running: the second signal leaves it
        try:
            engine.process.wait(20)
        except subprocess.TimeoutExpired:
            engine.process.kill()
            engine.process.wait()
            raise AssertionError(f"the engine did not end:\n{engine.log}") from None


@contextmanager
def disabled_queue(cluster: LocalCluster) -> Iterator[None]:
    """The cluster's queue takes no jobs, and starts none."""
    batch = cluster.aws.client("batch")
    batch.update_job_queue(jobQueue=cluster.resources.job_queue, state="DISABLED")
    try:
        yield
    finally:
        batch.update_job_queue(jobQueue=cluster.resources.job_queue, state="ENABLED")


def run_client(cluster: LocalCluster, script: str, *arguments: str, timeout: float = CLIENT_TIMEOUT_S) -> str:
    """Run a client as a script of its own (so that its classes are `__main__`'s) and give what it printed."""
    client = client_process(cluster, script, *arguments)
    try:
        output, errors = client.communicate(timeout=timeout)
    finally:
        client.kill()
    assert client.returncode == 0, f"client exited {client.returncode}:\n{output}\n{errors}"
    return output


def client_process(cluster: LocalCluster, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a client script, its input and output in pipes; the caller waits for it."""
    return subprocess.Popen(
        [sys.executable, "-c", _PREAMBLE + textwrap.dedent(script), *arguments],
        env={**os.environ, **cluster.environment(), "SCALER_ADDRESS": cluster.scheduler_address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running_client(cluster: LocalCluster, script: str) -> Iterator[subprocess.Popen[str]]:
    """One that is gone at the end with its tasks, whatever the test finds out."""
    with client_process(cluster, script) as client:
        try:
            yield client
        finally:
            end_client(client, cluster)


def end_client(client: subprocess.Popen[str], cluster: LocalCluster) -> None:
    """As Ctrl-C does, so that it says good-bye and its tasks go. By force when it doesn't end.

    The next engine that comes would get the tasks of one that was killed: the scheduler loses them.
    """
    client.send_signal(signal.SIGINT)
    try:
        client.wait(20)
    except subprocess.TimeoutExpired:
        client.kill()
        cluster.restart_scheduler()


SLEEPER = """
import time
def slow(path, seconds):
    with open(path, "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
    return "finished"
with Client(address=ADDRESS) as client:
    print(client.submit(slow, {mark!r}, {seconds}).result(timeout=120))
"""


@contextmanager
def sleeping_client(
    cluster: LocalCluster, engine: Engine, mark: Path, seconds: float
) -> Iterator[subprocess.Popen[str]]:
    """A client that waits for a task which runs already, for `seconds`; `mark` gets a line a call."""
    client = client_process(cluster, SLEEPER.format(mark=str(mark), seconds=seconds))
    try:
        await_condition(mark.exists, 30, lambda: engine.log)
        yield client
    finally:
        end_client(client, cluster)
        client.communicate()


BACKLOG = """
def slow(number, folder, seconds):
    import time
    with open(os.path.join(folder, str(number)), "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
with Client(address=ADDRESS) as client:
    futures = [client.submit(slow, number, {folder!r}, {seconds}) for number in range({tasks})]
    print("submitted", flush=True)
    [future.result() for future in futures]
"""


@contextmanager
def backlog_client(
    cluster: LocalCluster, calls: Path, tasks: int, seconds: float = 0.0
) -> Iterator[subprocess.Popen[str]]:
    """A client that has sent so many tasks of so many seconds; `calls` gets a file a task, with a line a call."""
    with running_client(cluster, BACKLOG.format(folder=str(calls), tasks=tasks, seconds=seconds)) as client:
        assert client.stdout is not None
        client.stdout.readline()
        yield client


def call_counts(folder: Path) -> list[int]:
    """How many lines each file of the folder has, by name: functions that count their own calls write one a call."""
    return [len(path.read_text().splitlines()) for path in sorted(folder.iterdir())]


_PREAMBLE = """
import os, sys
from scaler import Client
ADDRESS = os.environ["SCALER_ADDRESS"]
"""


def await_condition(
    condition: Callable[[], bool], timeout: float = 20.0, describe: Callable[[], str] = lambda: ""
) -> None:
    """Poll until true; fail after `timeout` seconds with what `describe` says."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s\n{describe()}"
        time.sleep(0.02)


def keys_left(cluster: LocalCluster, worker_manager_id: str) -> list[str]:
    """What that worker manager left in the bucket."""
    prefix = f"scaler-tasks/{worker_manager_id}/"
    listing = cluster.aws.client("s3").list_objects_v2(Bucket=cluster.resources.bucket, Prefix=prefix)
    return [entry["Key"] for entry in listing.get("Contents", [])]


def only_lease_left(cluster: LocalCluster, worker_manager_id: str = "wm-test") -> bool:
    """Nothing of any task stays in the bucket; the lease goes when the engine ends."""
    return all(key.endswith("/lease") for key in keys_left(cluster, worker_manager_id))


def nothing_of_tasks_left(cluster: LocalCluster, worker_manager_id: str = "wm-test") -> bool:
    """As `only_lease_left`, but a submission that got lost leaves its fence behind for ten minutes."""
    keys = keys_left(cluster, worker_manager_id)
    return all(key.endswith("/lease") or "/fence/" in key for key in keys)


def manager_calls(cluster: LocalCluster) -> dict[str, int]:
    """What the manager asked of AWS since the counters were reset, by `service.Operation`."""
    return dict(cluster.aws.calls()["by_caller"].get("scaler-batch-manager", {}))


def submitted_routes(engine: Engine) -> list[str]:
    """The route of each submission, in the order of the engine's log."""
    return re.findall(r"submitted \S+ \(\d+ tasks?, (\S+),", engine.log)
