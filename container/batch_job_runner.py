"""The program inside the job: runs a task of a Scaler client, or a pack of them, and leaves a result frame in S3.

A standalone script (its siblings `batch_job_*.py`, boto3 and cloudpickle beside it; Python 3.10+), for single jobs and
array children. The client's code is loaded and called in a forked process only, so that however it ends (exit, signal,
out of memory), this process can report it, and no exit code of it can look like one of ours (`RunnerExit`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batch_job_quoting import log
from batch_job_settings import Settings, UsageError
from batch_job_sigterm import SigtermGuard, Terminated, note_terminated
from batch_job_template.process import bare_process
from batch_job_wire.protocol import RunnerExit


def main(
    argv: Sequence[str], environ: Mapping[str, str], make_client: Callable[[str | None], Any] | None = None
) -> int:
    """Run the job that `argv` and the AWS Batch variables of `environ` describe; returns its exit code.

    `make_client` makes the S3 client for a region. Must run in the main thread: it handles SIGTERM and SIGCHLD.
    """
    try:
        with SigtermGuard() as guard:
            settings = Settings.parse(argv, environ)
            with bare_process(settings.is_packed and settings.parallel == 1) as bare:  # lanes have their own
                # Only now: what tasks' processes are forked from is there, and the less that has the cheaper each is.
                from batch_job_attempt import run_attempt

                return run_attempt(settings, guard, bare, make_client)
    except Terminated:
        return note_terminated()
    except UsageError as error:
        log(f"can't tell which task to run: {error}: exit {RunnerExit.UNLOADABLE:d}")
        return RunnerExit.UNLOADABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
