"""Ends in which the function was not called, or its host went, are tried again by AWS; all else is final."""

from __future__ import annotations

import pytest

from engine.aws.retry_rules import RETRY_STRATEGY, are_retried
from provisioner.local.batch.jobs.retry import retries
from provisioner.local.batch.jobs.submit import retry_rules
from provisioner.local.batch.records import LocalAttempt

NOT_STARTED = "Task failed to start"


@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code"),
    [
        ("Host EC2 (instance i-0a) terminated.", None, None),
        ("Your Spot Task was interrupted.", None, 137),
        ("Your Spot Task was interrupted. (Service: ECS)", None, None),
        (NOT_STARTED, "CannotPullContainerError: context canceled", None),
        (NOT_STARTED, "CannotPullECRContainerError: RequestError: send request failed", None),
        (NOT_STARTED, "CannotPullImageManifestError: toomanyrequests", None),
        (NOT_STARTED, "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s", None),
        (NOT_STARTED, "CannotStartContainerError: failed to initialize logging driver: i/o timeout", None),
        (NOT_STARTED, "CannotCreateContainerError: thin pool has 0 free data blocks", None),
        (NOT_STARTED, "ResourceInitializationError: unable to pull registry auth: i/o timeout", None),
        (NOT_STARTED + ": AGENT", "AGENT", None),
        ("Essential container in task exited", None, 75),
    ],
)
def test_an_end_before_the_call_is_tried_again(status_reason: str, reason: str | None, exit_code: int | None) -> None:
    attempt = LocalAttempt(status_reason=status_reason, reason=reason, exit_code=exit_code)
    assert retries(retry_rules(RETRY_STRATEGY), attempt)
    assert are_retried(status_reason, exit_code)


@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code"),
    [
        ("Essential container in task exited", None, 1),
        ("Essential container in task exited", None, 76),
        ("Essential container in task exited", None, 77),
        ("Essential container in task exited", "OutOfMemoryError: Container killed due to memory usage", 137),
        ("Job attempt duration exceeded timeout", None, 143),
        ("Terminated by the user", None, None),
    ],
)
def test_every_other_end_is_final(status_reason: str, reason: str | None, exit_code: int | None) -> None:
    attempt = LocalAttempt(status_reason=status_reason, reason=reason, exit_code=exit_code)
    assert not retries(retry_rules(RETRY_STRATEGY), attempt)
    assert not are_retried(status_reason, exit_code)
