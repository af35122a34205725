"""Sentences for people about calls that AWS refused: what is missing and what to grant."""

from __future__ import annotations

from typing import Final

from engine.aws.errors import AwsError

_IAM_PREFIXES: Final = {
    "GetLogEvents": "logs",
    "GetServiceQuota": "servicequotas",
    "DescribeInstanceTypes": "ec2",
    "DescribeSpotPriceHistory": "ec2",
    "GetProducts": "pricing",
}
"""Where it isn't AWS Batch's."""


def describe_error(error: AwsError) -> str:
    """One sentence; for a missing permission it begins with `denied` and names what to grant."""
    if error.denied:
        return f"denied: grant {iam_action(error.api)} to the worker manager's role"
    return f"{iam_action(error.api)} failed with {error.code}: {error.detail}"


def iam_action(api: str) -> str:
    """The IAM action behind a call that introspection makes, as `batch:DescribeJobs`."""
    return f"{_IAM_PREFIXES.get(api, 'batch')}:{api}"
