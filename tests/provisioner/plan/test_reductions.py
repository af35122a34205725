"""Reductions: what a plan takes away, in a sentence each."""

from __future__ import annotations

import pytest

from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.model import Change, FieldChange, Plan
from provisioner.plan.reductions import reductions


def expiry(before: object, after: object) -> Change:
    fields = (FieldChange("expiry.Expiration.Days", before, after),)
    return Change(PlanAction.UPDATE, ResourceKind.BUCKET, "b", fields)


def key(before: object, after: object) -> Change:
    fields = (FieldChange("encryption.KMSMasterKeyID", before, after),)
    return Change(PlanAction.UPDATE, ResourceKind.BUCKET, "b", fields)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (expiry(30, 1), "after 1 instead of 30 days"),
        (key("arn:old", "arn:new"), "no longer read what is stored under the key"),
        (Change(PlanAction.DELETE, ResourceKind.COMPUTE_ENVIRONMENT, "team-spot"), "team-spot would be deleted"),
        (Change(PlanAction.DELETE, ResourceKind.SECURITY_GROUP, "team-instances"), "another VPC"),
    ],
)
def test_what_would_be_taken_away_is_a_sentence(change: Change, said: str) -> None:
    (sentence,) = reductions(Plan((change,)))
    assert said in sentence


@pytest.mark.parametrize(
    "change",
    [
        expiry(1, 30),
        expiry(None, 1),
        key(None, "arn:new"),
        Change(PlanAction.CREATE, ResourceKind.COMPUTE_ENVIRONMENT, "team-spot"),
        Change(PlanAction.KEEP, ResourceKind.SECURITY_GROUP, "team-instances"),
    ],
)
def test_what_is_added_or_stays_is_none(change: Change) -> None:
    assert reductions(Plan((change,))) == ()
