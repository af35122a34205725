"""Reasons that Batch and ECS give for the end of a job or of an attempt, in their words."""

from __future__ import annotations

from typing import Final

MAX_OVERRIDE_CHARACTERS: Final = 8192  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
TOO_LONG: Final = f"Container Overrides length must be at most {MAX_OVERRIDE_CHARACTERS}"
TIMED_OUT: Final = "Job attempt duration exceeded timeout"
CONTAINER_ENDED: Final = "Essential container in task exited"
CHILD_FAILED: Final = "Array Child Job failed"
OUT_OF_MEMORY: Final = "OutOfMemoryError: Container killed due to memory usage"
NOT_STARTED_REASON: Final = "Task failed to start"
NOT_PULLED: Final = "CannotPullContainerError: pull image manifest has been retried 5 time(s): not found"
NO_LOG_GROUP: Final = (
    "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: "
    "ResourceNotFoundException: The specified log group does not exist."
)
