"""Enums whose values are keys and words of the JSON that programs read: they may be added to, and never changed."""

from __future__ import annotations

import msgspec

from provisioner.kinds import PlanAction, ResourceKind, StepState


def test_the_words_that_programs_read() -> None:
    assert [kind.value for kind in ResourceKind] == [
        "S3 bucket", "log group", "ECR repository", "IAM role", "instance profile", "service-linked role",
        "security group", "launch template", "compute environment", "job queue", "job definition", "image",
    ]  # fmt: skip
    assert [action.value for action in PlanAction] == ["create", "update", "replace", "delete", "keep"]
    assert {state.value for state in StepState} == {"running", "done", "failed", "skipped", "already gone", "kept"}


def test_a_kind_goes_through_json_as_its_title() -> None:
    text = msgspec.json.encode(ResourceKind.LOG_GROUP)
    assert text == b'"log group"'
    assert msgspec.json.decode(text, type=ResourceKind) is ResourceKind.LOG_GROUP


def test_data_is_what_holds_results_and_logs() -> None:
    assert [kind for kind in ResourceKind if kind.is_data] == [ResourceKind.BUCKET, ResourceKind.LOG_GROUP]
