"""Policy of the job role: of the runner, and with it of the users' own functions."""

from __future__ import annotations

from typing import Final

from provisioner.policies.statements import Policy, allow, document, missing_is_404
from provisioner.stack.naming import Stack
from provisioner.stack.spec import DEFAULT_S3_PREFIX

READABLE: Final = ("objects", "payloads", "results", "fence")
"""Folders that the runner reads: results too, because it checks whether its own exists."""


def job_policy(stack: Stack, s3_prefix: str = DEFAULT_S3_PREFIX) -> Policy:
    """Policy that reads payloads and the fence, and writes results, below every manager's folder of the prefix."""
    keys = f"{stack.bucket_arn}/{s3_prefix}/*"
    return document(
        [
            allow("Read", ["s3:GetObject"], [f"{keys}/{folder}/*" for folder in READABLE]),
            allow("WriteResults", ["s3:PutObject"], [f"{keys}/results/*"]),
            missing_is_404(stack.bucket_arn, s3_prefix),
        ]
    )
