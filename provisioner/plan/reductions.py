"""Reductions of a plan: what takes away data or places of jobs, and so is asked for by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.model import Change, Plan

KEY: Final = "encryption.KMSMasterKeyID"
EXPIRY: Final = "expiry.Expiration.Days"


def reductions(plan: Plan) -> tuple[str, ...]:
    """Sentences about a shorter expiry, another VPC and environments that go; none for most plans."""
    return tuple(sentence for change in plan.changes for sentence in _reductions_of(change))


def _reductions_of(change: Change) -> Iterator[str]:
    for field in change.fields:
        before, after = field.before, field.after
        if field.path == EXPIRY and isinstance(before, int) and isinstance(after, int) and after < before:
            yield f"Objects would expire after {after} instead of {before} days, and S3 deletes those that are older."
        if field.path == KEY and before is not None:
            yield "Jobs and managers could no longer read what is stored under the key that the bucket has now."
    if change.action is not PlanAction.DELETE:
        return
    if change.kind is ResourceKind.COMPUTE_ENVIRONMENT:
        yield f"The compute environment {change.name} would be deleted."
    if change.kind is ResourceKind.SECURITY_GROUP:
        yield "The instances would move to another VPC."
