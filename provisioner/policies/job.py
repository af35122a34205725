"""Policy of the job role: of the runner, and with it of the users' own functions."""

from __future__ import annotations

from container.batch_job_protocol import FENCE_NAME, RESULT_NAME, RESULTS, RUNNER_FOLDERS
from provisioner.policies.statements import Policy, allow, document, missing_is_404, use_of_key
from provisioner.stack.naming import Stack
from provisioner.stack.spec import DEFAULT_S3_PREFIX


def job_policy(stack: Stack, s3_prefix: str = DEFAULT_S3_PREFIX) -> Policy:
    """Policy that reads payloads and the fence, and writes results, below every manager's folder of the prefix.

    A function that runs with it can read only what it can name: it lists nothing. For a key that is there or not, the
    fence and the own result, the condition holds for whole keys alone, of which no listing tells more.
    """
    keys = f"{stack.bucket_arn}/{s3_prefix}/*"
    return document(
        [
            allow("Read", ["s3:GetObject"], [f"{keys}/{folder}/*" for folder in RUNNER_FOLDERS]),
            allow("WriteResults", ["s3:PutObject"], [f"{keys}/{RESULTS}/*"]),
            missing_is_404(stack.bucket_arn, [f"{s3_prefix}/*/{name}" for name in (FENCE_NAME, RESULT_NAME)]),
            *use_of_key(stack, "s3"),
        ]
    )
