"""Retry rules of jobs: in every SubmitJob, and in the job definitions that the provisioner makes.

They travel with each submission because a job definition of somebody else's lacks them.
https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html
"""

from __future__ import annotations

from typing import Any, Final

from container.batch_job_wire.protocol import RunnerExit

HOST_LOST: Final = ("Host EC2", "Your Spot Task was interrupted.")
"""Begins of the status reasons of an attempt whose host went: an EC2 instance, or Fargate Spot's."""
NOT_STARTED: Final = "Task failed to start"
"""Begin of the status reason of an attempt whose container never ran; the container's reason says why.

DockerTimeoutError, CannotPull…, CannotCreate…, CannotStartContainerError, ResourceInitializationError.
"""
RETRY_STRATEGY: Final[dict[str, Any]] = {
    "attempts": 3,
    "evaluateOnExit": [
        *({"onStatusReason": f"{begin}*", "action": "RETRY"} for begin in (*HOST_LOST, NOT_STARTED)),
        {"onExitCode": f"{RunnerExit.TRY_AGAIN:d}", "action": "RETRY"},
        # no match would mean: try again
        {"onReason": "*", "action": "EXIT"},
    ],
}
"""Five rules, which is all that AWS Batch takes."""


def are_retried(status_reason: str, exit_code: int | None) -> bool:
    """Tell whether the rules let AWS Batch try again after such an end: then its attempts are used up."""
    return exit_code == RunnerExit.TRY_AGAIN or status_reason.startswith((*HOST_LOST, NOT_STARTED))
