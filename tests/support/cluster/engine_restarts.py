"""One engine after the other under one worker-manager id: some are killed at a point, the last one is ordinary."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.config.settings import EngineConfig
from provisioner.local.cluster import LocalCluster
from provisioner.local.processes.scaler_processes import LocalScaler
from tests.support.cluster import kill_at
from tests.support.cluster.running_engine import (
    PROGRAM,
    Engine,
    await_condition,
    call_counts,
    client_process,
    keys_left,
    manager_config,
)

GRACE_S = 20
"""After it joined, a successor ends what nobody claimed."""
PATIENCE_S = GRACE_S + 25


@contextmanager
def scheduler_beside(cluster: LocalCluster, folder: Path, *options: str) -> Iterator[str]:
    """The address of one more scheduler, with an object storage of its own: its tasks meet the engines of no other.

    Its monitor is two ports above, where an engine looks for it.
    """
    environ = {**os.environ, **cluster.environment()}
    scaler = LocalScaler(environ, folder, options)
    try:
        scaler.launch()
        scaler.wait_ready()
        yield scaler.scheduler_address
    finally:
        scaler.stop()


@dataclass(frozen=True, slots=True)
class Succession:
    """Engines of one id on a cluster's AWS and a scheduler; `folder` gets their logs and a file for each call."""

    cluster: LocalCluster
    scheduler_address: str
    manager_id: str
    slots: int
    folder: Path

    @property
    def calls(self) -> Path:
        return self.folder / "calls"

    @contextmanager
    def client(self, script: str) -> Iterator[subprocess.Popen[str]]:
        """A client script; its arguments are the folder of the calls and the scheduler's address."""
        self.calls.mkdir()
        client = client_process(self.cluster, script, str(self.calls), self.scheduler_address)
        try:
            yield client
        finally:
            client.kill()
            client.communicate()

    def kill_at(self, point: str) -> None:
        """Run an engine until it is killed at this point."""
        engine = self._start(f"{point}.log", (kill_at.__file__, point))
        try:
            await_condition(lambda: engine.process.poll() is not None, 30, lambda: engine.log)
        finally:
            engine.stop(signal.SIGKILL)
        assert engine.process.returncode == -signal.SIGKILL, engine.log

    @contextmanager
    def successor(self) -> Iterator[Engine]:
        """An ordinary engine."""
        engine = self._start("successor.log")
        try:
            yield engine
        finally:
            engine.stop(signal.SIGKILL)

    def call_counts(self) -> list[int]:
        return call_counts(self.calls)

    def leftovers(self) -> list[str]:
        """Keys in S3 that belong to tasks. A fence may stay for a day: it stops a job that comes late."""
        kept = ("/lease", "/fence/")
        return [key for key in keys_left(self.cluster, self.manager_id) if not any(each in key for each in kept)]

    @property
    def is_clean(self) -> bool:
        """No objects, and no job before its end."""
        batch = self.cluster.aws.client("batch")
        filters = [{"name": "JOB_NAME", "values": [f"{self.manager_id}_*"]}]
        answer = batch.list_jobs(jobQueue=self.cluster.resources.job_queue, filters=filters)
        alive = any(job["status"] not in ("SUCCEEDED", "FAILED") for job in answer["jobSummaryList"])
        return not alive and not self.leftovers()

    def _start(self, log: str, program: Sequence[str] = PROGRAM) -> Engine:
        manager = manager_config(
            self.cluster,
            scheduler_address=self.scheduler_address,
            worker_manager_id=self.manager_id,
            max_concurrent_jobs=self.slots,
            inline_limit=0,
        )
        config = EngineConfig(managers=(manager,), drain_timeout_seconds=30)
        return Engine(config, self.cluster.environment(), self.folder / log, program)


class Afterlife:
    """Successors whose clients have everything: each goes on, while other tests run, until it has left nothing.

    What nobody claimed is ended after the grace only, and even then no function may be called again.
    """

    def __init__(self) -> None:
        self._living: list[tuple[Succession, Engine, ExitStack]] = []

    def keep(self, succession: Succession, successor: Engine, owned: ExitStack) -> None:
        """`owned` is closed when the successor ended: its process, its scheduler."""
        self._living.append((succession, successor, owned))
        for one in list(self._living):
            if one[0].is_clean:
                self._living.remove(one)
                self._end(*one)

    def end(self) -> None:
        """Wait for the rest; a successor that leaves something, or can't end in order, is an error."""
        try:
            for succession, successor, owned in self._living:
                self._await_cleanliness(succession, successor)
                self._end(succession, successor, owned)
        finally:
            for _, _, owned in self._living:
                owned.close()

    def _await_cleanliness(self, succession: Succession, successor: Engine) -> None:
        def describe() -> str:
            return f"{succession.manager_id} left {succession.leftovers()}\n{successor.log}"

        await_condition(lambda: succession.is_clean, PATIENCE_S, describe)

    def _end(self, succession: Succession, successor: Engine, owned: ExitStack) -> None:
        with owned:
            assert successor.stop() == 0, f"{succession.manager_id}:\n{successor.log}"
            assert (succession.leftovers(), set(succession.call_counts())) == ([], {1}), succession.manager_id


def printed(client: subprocess.Popen[str], deadline: float, engine: Engine) -> object:
    """The JSON that a client prints at its end, which must come before the deadline (of the monotonic clock)."""
    try:
        output, errors = client.communicate(timeout=deadline - time.monotonic())
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the client has not got everything in time:\n{engine.log}") from None
    assert client.returncode == 0, f"{errors}\n{engine.log}"
    return json.loads(output)
