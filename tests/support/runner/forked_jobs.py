"""Jobs of a test, each a fork of one process that has imported the runner: a job then costs little.

As a script it is that process; `ForkedJobs` is the test's side.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from provisioner.local.processes.fork_server import process_tree
from tests.support.paths import CONTAINER, ROOT
from tests.support.runner.client import STORE

KILLED: Final = 128
"""Added to the number of the signal that ended a job."""
AT_ONCE: Final = "import batch_job_child; batch_job_child.LONG_LOAD_S = 0.0\n"
"""A template pays however fast a function loads."""


@dataclass(frozen=True)
class Job:
    """What a job is started with; `index` is None for a single one."""

    submission: str
    payload: str
    options: str = "region=us-east-1"
    attempt: int = 1
    index: int | None = None


class ForkedJobs:
    """The process that has the runner imported, as a context; `run` may be called again and again.

    With `has_template` tasks of packs are forked from a template once their function comes again.
    """

    has_template = False

    def __enter__(self) -> ForkedJobs:
        self._temporary = tempfile.TemporaryDirectory()  # in a container the host takes away what a killed job leaves
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ |= {"TMPDIR": self._temporary.name, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env={**environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # with a job that hangs, if a test was given up for one
        self._process.communicate()
        self._temporary.cleanup()

    def run(self, endpoint: str, jobs: Sequence[Job], prelude: str = "") -> list[tuple[int, str]]:
        """Exit code and log of each, one after the other; `prelude` is Python that each runs before it begins."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self.has_template:
            jobs = [replace(job, options=f"{job.options};template=1") for job in jobs]
            prelude = AT_ONCE + prelude
        told = {"jobs": [asdict(job) for job in jobs], "prelude": prelude, "endpoint": endpoint}
        print(json.dumps(told), file=self._process.stdin, flush=True)
        return [(code, log) for code, log in json.loads(self._process.stdout.readline())]


def main() -> None:
    """Run what each line of standard input tells."""
    process_tree.adopt_orphans()
    sys.path.insert(0, str(CONTAINER))
    runner = importlib.import_module("batch_job_runner")
    for name in ("batch_job_attempt", "boto3"):
        importlib.import_module(name)
    for line in sys.stdin:
        told = json.loads(line)
        os.environ["AWS_ENDPOINT_URL"] = told["endpoint"]
        print(json.dumps([_run(runner.main, Job(**job), told["prelude"]) for job in told["jobs"]]), flush=True)


def _run(run: object, job: Job, prelude: str) -> tuple[int, str]:
    with tempfile.TemporaryFile() as log:
        pid = os.fork()
        if pid == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os._exit(_job(run, job, prelude))
        code = os.waitstatus_to_exitcode(_wait_for(pid))
        _end_orphans()
        log.seek(0)
        return (code if code >= 0 else KILLED - code), log.read().decode()


def _wait_for(pid: int) -> int:
    """The status with which it ended; orphans that end meanwhile are let go."""
    while (ended := os.waitpid(-1, 0))[0] != pid:
        pass
    return ended[1]


def _end_orphans() -> None:
    """What a job leaves ends with it, as in a container."""
    while orphans := process_tree.children(os.getpid()):
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _job(run: object, job: Job, prelude: str) -> int:
    assert callable(run)
    os.environ["RUNNER"] = str(os.getpid())  # for tasks that end it
    exec(prelude, {})
    words = ["--store", f"s3://{STORE}", "--submission", job.submission, "--payload", job.payload]
    environ = {"AWS_BATCH_JOB_ATTEMPT": str(job.attempt)}
    if job.index is not None:
        environ["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
    try:
        return int(run([*words, "--options", job.options], environ))
    except BaseException as error:
        print(f"escaped: {error!r}", file=sys.stderr, flush=True)
        return 99


if __name__ == "__main__":
    main()
