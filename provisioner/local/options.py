"""Options of the local AWS. Plain data; `LocalAWS` passes it on as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

CONTAINER: Final = Path(__file__).resolve().parents[2] / "container"
RUNNER: Final = f"{CONTAINER / 'batch_job_runner.py'}:main"


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a thing stays in a state before it goes on; real AWS takes seconds to minutes."""

    environment: float = 0.0  # compute environment: CREATING, UPDATING, DELETING
    queue: float = 0.0  # job queue: the same
    propagation: float = 0.0  # until Batch sees a role or an instance profile that IAM has just made
    submitted: float = 0.0  # job: SUBMITTED, PENDING
    runnable: float = 0.0
    starting: float = 0.0


class LocalAWSOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the local AWS process.

    time_scale multiplies AWS's own times (job timeouts, the 30 s from SIGTERM to SIGKILL, the day for which a
    finished job is remembered). program is `FILE.py:FUNCTION`, called in a forked process as
    `function(argv, environ, make_client) -> exit code`; the default is the real runner. python_path are folders in
    which jobs look for modules before PYTHONPATH.
    With containers, jobs run in containers of their definition's image, and ECR comes with a registry.
    """

    state_dir: str
    port: int = 0
    region: str = "us-east-1"
    time_scale: float = 1.0
    delays: Delays = Delays()
    faults: tuple[str, ...] = ()
    random_seed: int | None = None
    program: str = RUNNER
    python_path: tuple[str, ...] = ()
    containers: bool = False
    max_finished_jobs: int = 50_000  # about 2 KiB each
    max_stream_bytes: int = 4 * 1024**2  # of one job's log; the oldest goes first
    max_log_bytes: int = 64 * 1024**2  # of all logs together
