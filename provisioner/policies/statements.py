"""What IAM policies are made of: documents and statements as plain data, always in the same order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Policy = dict[str, object]
Statement = dict[str, object]


def as_json(policy: Policy) -> str:
    return json.dumps(policy, sort_keys=True)


def document(statements: Sequence[Statement]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, object] | None = None,
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return statement if condition is None else {**statement, "Condition": dict(condition)}


def of_service(service: str, *names: str) -> list[str]:
    """Actions with their service in front."""
    return [f"{service}:{name}" for name in names]


def missing_is_404(bucket_arn: str, s3_prefix: str) -> Statement:
    """Without ListBucket a missing key answers 403 instead of 404, and S3 takes the key asked for as `s3:prefix`."""
    return allow("MissingIs404", ["s3:ListBucket"], [bucket_arn], {"StringLike": {"s3:prefix": [f"{s3_prefix}/*"]}})
