"""Who is compared, each as processes on the same local AWS and Scaler: ours, the peer, Scaler's native workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from engine.config.settings import EngineConfig
from provisioner.local.cluster import LocalCluster
from provisioner.local.options import RUNNER
from tests.support.cluster.running_engine import PROGRAM, manager_config

PEER_DEFINITION: Final = "peer"
PEER_COMMAND: Final = ("task_id", "payload", "compressed", "s3_bucket", "s3_prefix", "s3_key")
JOB_PROGRAM: Final = f"{Path(__file__).with_name('both_runners.py')}:main"
FRESH_PROGRAM: Final = f"{Path(__file__).with_name('fresh_runner.py')}:main"
"""Of ours: each job is a fresh process."""


STOP_S: Final = 30.0


class Side(StrEnum):
    """Who runs the tasks."""

    OURS = "ours"
    PEER = "peer"
    NATIVE = "native"


def job_program(sides: Collection[Side], *, is_fresh: bool) -> str:
    """What the local AWS's jobs run: beside the peer's they are forked from what has imported Scaler for it."""
    return FRESH_PROGRAM if is_fresh else JOB_PROGRAM if Side.PEER in sides else RUNNER


class RunningSide:
    """The processes of one side."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def processes(self) -> list[psutil.Process]:
        """Its first process and all that came of it."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU seconds that its processes have used."""
        return sum(_cpu(one) for one in self.processes())

    def peak_rss_mib(self) -> float:
        """The peaks of its processes, added up."""
        return sum(_peak_mib(one.pid) for one in self.processes())

    def kill(self) -> None:
        """As a lost host does."""
        for one in self.processes():
            one.kill()
        self.process.wait()

    def stop(self) -> None:
        """In order; by force when it doesn't end."""
        if self.process.poll() is not None:
            return
        everything = self.processes()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        for one in everything:
            if one.is_running():
                one.kill()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM:" in status else 0.0


class Starter:
    """Starts sides on a cluster; `slots` are the jobs that run at once, `changes` more of our configuration."""

    def __init__(self, cluster: LocalCluster, folder: Path, slots: int, changes: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._folder = folder
        self._slots = slots
        self._changes = changes

    def launch(self, side: Side) -> RunningSide:
        """Its processes; whether they work is seen by the first task."""
        commands = {Side.OURS: self._ours, Side.PEER: self._peer, Side.NATIVE: self._native}
        environ = {**os.environ, **self._cluster.environment()}
        with (self._folder / f"{side}.log").open("ab") as log:
            return RunningSide(subprocess.Popen(commands[side](), env=environ, stdout=log, stderr=log))

    @contextmanager
    def running(self, side: Side) -> Iterator[RunningSide]:
        """One side at a time: Scaler's own processes are fresh for each, so that nothing of another is waited for."""
        self._cluster.restart_object_storage()
        self._cluster.restart_scheduler()
        running = self.launch(side)
        try:
            yield running
        finally:
            running.stop()

    def define_peers_job(self) -> None:
        """Register the job definition that the peer's runner wants."""
        command = [word for name in PEER_COMMAND for word in (f"--{name}", f"Ref::{name}")]
        resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}]
        self._cluster.aws.client("batch").register_job_definition(
            jobDefinitionName=PEER_DEFINITION,
            type="container",
            containerProperties={"image": "peer", "command": command, "resourceRequirements": resources},
        )

    def _ours(self) -> Sequence[str]:
        manager = manager_config(self._cluster, max_concurrent_jobs=self._slots, **self._changes)
        settings = msgspec.json.encode(EngineConfig(managers=(manager,), drain_timeout_seconds=30)).decode()
        return (sys.executable, "-P", *PROGRAM, "--settings", settings)

    def _peer(self) -> Sequence[str]:
        resources = self._cluster.resources
        places = {
            "--worker-manager-id": "peer",
            "--object-storage-address": self._cluster.object_storage_address,
            "--job-queue": resources.job_queue,
            "--job-definition": PEER_DEFINITION,
            "--s3-bucket": resources.bucket,
            "--aws-region": resources.region,
            "--max-concurrent-jobs": str(self._slots),
        }
        options = [word for pair in places.items() for word in pair]
        module = "tests.benchmarks.peers.peer_manager"
        return (sys.executable, "-m", module, "aws_hpc", self._cluster.scheduler_address, *options)

    def _native(self) -> Sequence[str]:
        workers = str(os.cpu_count() or 1)
        program = str(Path(sys.executable).with_name("scaler_worker_manager"))
        options = ("--worker-manager-id", "native", "--mode", "fixed", "--max-task-concurrency", workers)
        return (program, "baremetal_native", self._cluster.scheduler_address, *options)
