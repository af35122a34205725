"""Waits for AWS Batch's queues and compute environments, by their names."""

from __future__ import annotations

from typing import Final

from provisioner.plan.model import WaitUntil

UPDATE_PATIENCE_S: Final = 7200 * 60 + 1800.0
"""Of a wait for an environment: an update that replaces instances waits for their jobs, up to the policy's limit, and
takes AWS 10 to 30 minutes. https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html"""


def wait_for_environment(name: str, statuses: frozenset[str]) -> WaitUntil:
    """Wait until a compute environment has one of the statuses; none: until it is gone."""
    return WaitUntil(
        f"wait until compute environment {name} is {' or '.join(sorted(statuses)) or 'gone'}",
        "batch",
        "describe_compute_environments",
        {"computeEnvironments": [name]},
        "computeEnvironments",
        statuses,
        updating_s=UPDATE_PATIENCE_S,
    )


def wait_for_queue(name: str, statuses: frozenset[str]) -> WaitUntil:
    """Wait until a queue has one of the statuses; none: until it is gone."""
    return WaitUntil(
        f"wait until job queue {name} is {' or '.join(sorted(statuses)) or 'gone'}",
        "batch",
        "describe_job_queues",
        {"jobQueues": [name]},
        "jobQueues",
        statuses,
    )
