"""Retry rules of jobs: in every SubmitJob, and in the job definitions that the provisioner makes.

They travel with each submission because a job definition of somebody else's lacks them.
https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html
"""

from __future__ import annotations

from typing import Any, Final

from container.batch_job_protocol import RunnerExit

RETRY_STRATEGY: Final[dict[str, Any]] = {
    "attempts": 3,
    "evaluateOnExit": [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onReason": "CannotPullContainerError:*", "action": "RETRY"},
        {"onExitCode": f"{RunnerExit.TRY_AGAIN:d}", "action": "RETRY"},
        # no match would mean: try again
        {"onReason": "*", "action": "EXIT"},
    ],
}
