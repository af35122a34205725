"""Program of the local AWS's jobs that runs whichever runner the job's definition is of: ours or the peer's.

Both get what the fork server has ready: imports, and a client of S3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import batch_job_runner
import boto3
from scaler.worker_manager.proxy.aws_batch.remote import job_runner


def main(argv: Sequence[str], environ: Mapping[str, str], make_client: Callable[[str | None], Any]) -> int:
    """The exit code of the runner."""
    if "--store" in argv:
        return int(batch_job_runner.main(argv, environ, make_client))
    boto3.client = lambda _service, **_: make_client(None)  # type: ignore[assignment]
    job_runner.main()
    return 0
