"""Statements and documents of IAM policies as plain data, always in the same order:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from provisioner.stack.naming import Stack

MANAGED_POLICY_CHARACTERS: Final = 6144
"""Limit of a managed policy, of which ten can be attached to a role or user; a role's inline policies may have 10,240
characters together, a user's 2,048: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

Policy = dict[str, object]
Statement = dict[str, object]


def as_json(policy: Policy) -> str:
    """Text of a policy, the same for the same policy."""
    return json.dumps(policy, sort_keys=True)


def counted_characters(policy: Policy) -> int:
    """Size of a policy as IAM counts it against its limits: in characters, without white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def document(statements: Sequence[Statement]) -> Policy:
    """Policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, object] | None = None,
) -> Statement:
    """Statement that allows actions on resources, on a condition if one is given."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return statement if condition is None else {**statement, "Condition": dict(condition)}


def of_service(service: str, *names: str) -> list[str]:
    """Actions of a service, with it in front."""
    return [f"{service}:{name}" for name in names]


def use_of_key(stack: Stack, *services: str) -> list[Statement]:
    """Statement for the stack's KMS key, none without one: the services use it with the caller's permissions.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    if stack.kms_key is None:
        return []
    through = {"StringEquals": {"kms:ViaService": [stack.service_host(one) for one in services]}}
    return [allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [stack.kms_key], through)]


def missing_is_404(bucket_arn: str, keys: Sequence[str]) -> Statement:
    """Statement by which a missing key of these patterns answers 404; without ListBucket it is 403.

    S3 takes the key asked for as `s3:prefix`: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    return allow("MissingIs404", ["s3:ListBucket"], [bucket_arn], {"StringLike": {"s3:prefix": list(keys)}})
