"""Options of the local AWS. Plain data; `LocalAWS` passes it on as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

import msgspec

CONTAINER: Final = Path(__file__).resolve().parents[2] / "container"
RUNNER: Final = f"{CONTAINER / 'batch_job_runner.py'}:main"


Span = float | tuple[float, float]
"""Seconds, or the least and the most of them, between which each time is drawn."""


class LocalPace(StrEnum):
    """How long things take in the local AWS: nothing at all, or what they take in AWS."""

    FAST = "fast"
    AWS = "aws"


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a thing stays in a state before it goes on; real AWS takes seconds to minutes."""

    environment: Span = 0.0  # compute environment: CREATING, UPDATING, DELETING
    scaling: Span | None = None  # UPDATING that replaces no instance; None: like the others
    replacement: Span | None = None  # UPDATING that replaces instances; None: like the others
    queue: Span = 0.0  # job queue: CREATING, UPDATING, DELETING
    propagation: float = 0.0  # until Batch sees a role or an instance profile that IAM has just made
    submitted: Span = 0.0  # job: SUBMITTED, PENDING
    runnable: Span = 0.0
    instance: Span = 0.0  # until an instance is there for a job that finds none; 0: there are always enough
    starting: Span = 0.0
    listing: Span = 0.0  # by which ListJobs is late, each job by a time of its own


DELAYS: Final[Mapping[LocalPace, Delays]] = {
    LocalPace.FAST: Delays(),
    # https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html says 10 to 30 minutes, the
    # others are what users report
    LocalPace.AWS: Delays(
        environment=(30.0, 90.0),
        scaling=(1.0, 5.0),
        replacement=(600.0, 1800.0),
        instance=(60.0, 180.0),
        starting=(1.0, 5.0),
        listing=(1.0, 5.0),
    ),
}


def drawn(span: Span, chance: Random) -> float:
    """Seconds of a span."""
    return chance.uniform(*span) if isinstance(span, tuple) else span


class LocalAWSOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the local AWS process.

    time_scale multiplies AWS's own times (job timeouts, the 30 s from SIGTERM to SIGKILL, the day for which a
    finished job is remembered). program is `FILE.py:FUNCTION`, called in a forked process as
    `function(argv, environ, make_client) -> exit code`; the default is the real runner. python_path are folders in
    which jobs look for modules before PYTHONPATH.
    With containers, jobs run in containers of their definition's image, and ECR comes with a registry. With no_jobs
    nothing runs: the result of each task, its first argument, is written at once.
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
    no_jobs: bool = False
    max_finished_jobs: int = 50_000  # about 2 KiB each
    max_stream_bytes: int = 4 * 1024**2  # of one job's log; the oldest goes first
    max_log_bytes: int = 64 * 1024**2  # of all logs together
