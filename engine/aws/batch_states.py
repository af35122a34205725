"""AWS Batch's job states and the groups of them that decide something.

https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class BatchState(StrEnum):
    """State of a job, in the order in which a job passes them; a retry goes back to RUNNABLE."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


WAITING: Final = frozenset({BatchState.SUBMITTED, BatchState.PENDING, BatchState.RUNNABLE})
"""Nothing of the job runs. The parent of an array is PENDING until its last child has ended."""
UNDER_WAY: Final = frozenset({BatchState.STARTING, BatchState.RUNNING})
"""The job holds capacity of its compute environment."""
ENDED: Final = frozenset({BatchState.SUCCEEDED, BatchState.FAILED})
"""The job is over, and Batch forgets it about a day later."""
STARTED: Final = UNDER_WAY | ENDED
"""The job's container was begun, as far as the state tells."""
LIVING: Final = tuple(state for state in BatchState if state not in ENDED)
"""The states of a job that is not over, in order."""
