"""Environment variables of a job's process.

https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html. As on EC2, AWS_REGION is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.local.batch.records import LocalJob


def job_environ(job: LocalJob, base: Mapping[str, str]) -> dict[str, str]:
    """Variables of the job's next attempt on top of `base`."""
    environ = {**base, **job.spec.environment}
    environ["AWS_BATCH_JOB_ID"] = job.id
    environ["AWS_BATCH_JOB_ATTEMPT"] = str(len(job.attempts) + 1)
    environ["AWS_BATCH_JQ_NAME"] = job.spec.queue.name
    if job.placed_on is not None:
        environ["AWS_BATCH_CE_NAME"] = job.placed_on.name
    if job.index is not None and job.parent is not None:
        environ["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
        environ["AWS_BATCH_JOB_ARRAY_SIZE"] = str(len(job.parent.members))
    return environ
