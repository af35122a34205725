"""AWS's refusals in words for people who look: what is missing and what to grant."""

from __future__ import annotations

from typing import Final

from engine.aws.errors import AwsError

DENIED: Final = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_SERVICES: Final = {"GetLogEvents": "logs", "GetServiceQuota": "servicequotas"}


def is_denied(error: AwsError) -> bool:
    """A permission is missing."""
    return error.code in DENIED


def permission(api: str) -> str:
    """The IAM action that a call of introspection needs, as `batch:DescribeJobs`."""
    return f"{_SERVICES.get(api, 'batch')}:{api}"


def in_words(error: AwsError) -> str:
    """One sentence."""
    if is_denied(error):
        return f"denied: grant {permission(error.api)} to the worker manager's role"
    return f"{permission(error.api)} failed with {error.code}: {error.detail}"
