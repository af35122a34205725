"""The matcher decides as IAM does, as far as our policies go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.provisioner.permissions.matching import Need, allows, without

BUCKET = "arn:aws:s3:::ours"


def policy(actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": "One", "Effect": "Allow", "Action": actions, "Resource": resources}
    return {"Statement": [{**statement, "Condition": condition} if condition else statement]}


@pytest.mark.parametrize(
    ("pattern", "resource", "allowed"),
    [
        (f"{BUCKET}/*", f"{BUCKET}/a/b", True),
        (f"{BUCKET}/*", BUCKET, False),
        (BUCKET, f"{BUCKET}-too", False),
        (f"{BUCKET}/[a]", f"{BUCKET}/a", False),
        ("*", f"{BUCKET}/a", True),
    ],
)
def test_resources_match_as_a_whole_and_stars_go_over_slashes(pattern: str, resource: str, allowed: bool) -> None:
    assert allows(policy(["s3:GetObject"], [pattern]), Need.of("s3:GetObject", resource)) is allowed


def test_actions_match_in_any_case_and_by_wildcard() -> None:
    given = policy(["s3:get*"], ["*"])
    assert allows(given, Need.of("s3:GetObject", BUCKET))
    assert not allows(given, Need.of("s3:PutObject", BUCKET))


def test_a_condition_fails_when_the_request_lacks_its_key() -> None:
    given = policy(["s3:ListBucket"], [BUCKET], {"StringLike": {"s3:prefix": ["tasks/*"]}})
    assert allows(given, Need.of("s3:ListBucket", BUCKET, **{"s3:prefix": "tasks/x"}))
    assert not allows(given, Need.of("s3:ListBucket", BUCKET, **{"s3:prefix": "others/x"}))
    assert not allows(given, Need.of("s3:ListBucket", BUCKET))


def test_all_keys_of_a_condition_must_hold() -> None:
    condition = {"StringEquals": {"aws:RequestTag/a": "1", "ec2:CreateAction": ["CreateSecurityGroup"]}}
    given = policy(["ec2:CreateTags"], ["*"], condition)
    tag = {"aws:RequestTag/a": "1"}
    assert allows(given, Need.of("ec2:CreateTags", **tag, **{"ec2:CreateAction": "CreateSecurityGroup"}))
    assert not allows(given, Need.of("ec2:CreateTags", **tag))


def test_every_value_must_be_among_those_of_a_condition_for_all_values() -> None:
    given = policy(["ec2:CreateTags"], ["*"], {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})
    assert allows(given, Need("ec2:CreateTags", context=(("aws:TagKeys", ("a",)),)))
    assert not allows(given, Need("ec2:CreateTags", context=(("aws:TagKeys", ("a", "b")),)))


def test_a_policy_loses_one_action_at_a_time() -> None:
    lesser = dict(without(policy(["s3:GetObject", "s3:PutObject"], [BUCKET])))
    assert {name: one["Statement"][0]["Action"] for name, one in lesser.items()} == {
        "One s3:GetObject": ["s3:PutObject"],
        "One s3:PutObject": ["s3:GetObject"],
    }
