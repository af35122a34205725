"""AWS Batch's job states, and the sets of them that have a meaning together."""

from __future__ import annotations

from enum import StrEnum


class BatchState(StrEnum):
    """AWS Batch's own job states, in the order in which a job passes them."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
