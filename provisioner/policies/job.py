"""Policy of the job role: of the runner, and with it of the users' own functions."""

from __future__ import annotations

from typing import Final

from container.batch_job_wire.protocol import (
    FENCE_NAME,
    MARK_NAME,
    MARKS_LISTED,
    RESULT_NAME,
    RESULTS,
    RESULTS_LISTED,
    RUNNER_FOLDERS,
)
from provisioner.policies.statements import Policy, allow, document, missing_is_404, use_of_key
from provisioner.stack.naming import Stack
from provisioner.stack.spec import DEFAULT_S3_PREFIX

_ASKED_FOR: Final = (FENCE_NAME, MARK_NAME, RESULT_NAME, RESULTS_LISTED, MARKS_LISTED)


def job_policy(stack: Stack, s3_prefix: str = DEFAULT_S3_PREFIX) -> Policy:
    """Policy that reads payloads, fences and marks, and writes results, below every manager's folder of the prefix.

    A function that runs with it can read only what it can name. For a key that is there or not (fence, mark, the own
    result) the condition holds for whole keys alone, of which no listing tells more. What it may list are the results
    and the marks of a submission whose id it knows: another attempt at a pack asks which of its entries are done, a
    pack of short tasks which of many are cancelled, and the tasks that a listing names stand in the bundle, too.
    """
    keys = f"{stack.bucket_arn}/{s3_prefix}/*"
    return document(
        [
            allow("Read", ["s3:GetObject"], [f"{keys}/{folder}/*" for folder in RUNNER_FOLDERS]),
            allow("WriteResults", ["s3:PutObject"], [f"{keys}/{RESULTS}/*"]),
            missing_is_404(stack.bucket_arn, [f"{s3_prefix}/*/{name}" for name in _ASKED_FOR]),
            *use_of_key(stack, "s3"),
        ]
    )
