"""Quotas of compute environments: what their hosts have beyond our own jobs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from engine.aws.batch_states import BatchState
from engine.backends.batch.introspect.quotas import Quotas
from engine.backends.batch.ledger import Ledger, Submission
from engine.model import ResourceShape


def quotas(*environments: tuple[str, int | None], running: int = 3, job_vcpus: float | None = 2.0) -> Quotas:
    """Of a queue with environments of these types and desiredvCpus, where so many jobs run."""
    ledger = Ledger()
    submission = Submission("sub", "", (), ResourceShape(), pack=1, job_id="job")
    submission.summary = {BatchState.RUNNING: running}
    ledger.submissions["sub"] = submission
    answers = [{"computeResources": {"type": kind, "desiredvCpus": desired}} for kind, desired in environments]
    return Quotas(client=cast(Any, None), ledger=ledger, environments=answers, job_vcpus=job_vcpus)


@pytest.mark.parametrize(
    ("found", "idle"),
    [
        (quotas(("EC2", 8), ("SPOT", 16)), 18.0),
        (quotas(("EC2", 8), ("FARGATE", 64)), 2.0),
        (quotas(("EC2", 4)), 0.0),  # the last read is older than the jobs
        (quotas(("FARGATE", 64)), None),
        (quotas(("EC2", 8), ("SPOT", None)), None),
        (quotas(("EC2", 8), job_vcpus=None), None),
    ],
)
def test_hosts_beyond_our_jobs_are_idle_as_far_as_aws_tells_of_hosts(found: Quotas, idle: float | None) -> None:
    assert found.idle_vcpus == idle
