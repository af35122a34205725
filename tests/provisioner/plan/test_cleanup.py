"""Cleanup: the right order, each resource on its own, nothing of others, and a true account of what remains."""

from __future__ import annotations

import dataclasses

import boto3
import pytest

from provisioner.clients import Clients
from provisioner.kinds import StepState
from provisioner.plan.cleanup import Removal
from provisioner.plan.planner import Claims
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import NOTHING_MUCH, Refusing, account, apply, changes, clean, plan_for

SPEC = ProvisionSpec(image="worker:1")
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"


def state_of(removals: list[Removal], kind: str) -> tuple[StepState, str]:
    (found,) = (removal for removal in removals if removal.kind == kind)
    return found.state, found.text


def put(clients: Clients, count: int) -> None:
    for number in range(count):
        words = {"Bucket": BUCKET, "Key": f"scaler-tasks/wm/results/{number}", "Body": b"x"}
        clients.call("s3", "put_object", words)


def test_nothing_of_ours_is_left(clients: Clients) -> None:
    before = account(clients)
    apply(SPEC, clients)
    put(clients, 3)
    removals, remains = clean(SPEC, clients)
    assert account(clients) == before
    assert remains == []
    assert state_of(removals, "job queue") == (StepState.DONE, "")


@pytest.mark.long
def test_versions_delete_markers_and_unfinished_uploads_go_with_the_bucket(clients: Clients) -> None:
    apply(SPEC, clients)
    clients.call("s3", "put_bucket_versioning", {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}})
    put(clients, 2)
    put(clients, 2)
    clients.call("s3", "delete_object", {"Bucket": BUCKET, "Key": "scaler-tasks/wm/results/0"})
    clients.call("s3", "create_multipart_upload", {"Bucket": BUCKET, "Key": "scaler-tasks/wm/unfinished"})
    assert clean(SPEC, clients)[1] == []


def test_where_nothing_is_everything_is_already_gone(clients: Clients) -> None:
    removals, remains = clean(SPEC, clients)
    assert {removal.state for removal in removals} == {StepState.GONE}
    assert remains == []


@pytest.mark.long
def test_data_is_kept_when_asked_and_is_not_told_to_remain(clients: Clients) -> None:
    apply(SPEC, clients)
    removals, remains = clean(SPEC, clients, keep_data=True)
    assert state_of(removals, "S3 bucket")[0] is StepState.KEPT
    assert state_of(removals, "log group")[0] is StepState.KEPT
    assert remains == []
    assert clients.call("s3", "head_bucket", {"Bucket": BUCKET})


def test_what_somebody_else_made_is_skipped_and_said(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    removals, remains = clean(SPEC, clients)
    state, text = state_of(removals, "S3 bucket")
    assert state is StepState.SKIPPED
    assert "lacks the tag opengris:stack=scaler-batch" in text
    assert remains == []


def test_a_bucket_that_an_interrupted_run_began_is_ours(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    claims = Claims(begun=frozenset({f"S3 bucket {BUCKET}"}))
    removals, _ = clean(SPEC, clients, claims=claims)
    assert state_of(removals, "S3 bucket")[0] is StepState.DONE


@pytest.mark.long
def test_another_prefix_is_not_touched(clients: Clients) -> None:
    other = dataclasses.replace(SPEC, prefix="scaler-batch-two")
    apply(SPEC, clients)
    apply(other, clients)
    clean(SPEC, clients)
    assert changes(plan_for(other, clients)) == []


@pytest.mark.long
def test_policies_that_others_put_on_our_role_go_with_it(clients: Clients) -> None:
    apply(SPEC, clients)
    words = {"RoleName": "scaler-batch-job-us-east-1", "PolicyName": "theirs", "PolicyDocument": NOTHING_MUCH}
    clients.call("iam", "put_role_policy", words)
    assert clean(SPEC, clients)[1] == []


@pytest.fixture
def refusing(account_url: str, session: boto3.Session) -> Refusing:
    clients = Refusing(account_url, session)
    apply(SPEC, clients)
    return clients


@pytest.mark.long
def test_roles_stay_under_an_environment_that_could_not_be_deleted(refusing: Refusing) -> None:
    refusing.refused = "delete_compute_environment"
    removals, remains = clean(SPEC, refusing)
    assert state_of(removals, "instance profile") == (
        StepState.SKIPPED,
        "compute environment scaler-batch-compute is still there and needs it",
    )
    kinds = {one.kind for one in remains}
    assert {"compute environment", "IAM role", "instance profile", "launch template"} <= kinds
    assert "S3 bucket" not in kinds


def test_what_remains_comes_with_the_reason_and_the_command(refusing: Refusing) -> None:
    refusing.refused = "delete_log_group"
    _, (left,) = clean(SPEC, refusing)
    assert (left.kind, left.name) == ("log group", "/scaler/scaler-batch")
    assert "AccessDenied" in left.why
    assert left.command.startswith("aws logs delete-log-group --log-group-name /scaler/scaler-batch")


@pytest.mark.long
def test_an_environment_that_cannot_be_read_keeps_its_roles(refusing: Refusing) -> None:
    refusing.refused = "describe_compute_environments"
    removals, remains = clean(SPEC, refusing)
    assert {removal.state for removal in removals if removal.kind == "IAM role"} == {StepState.SKIPPED}
    assert any("could not be read" in one.why for one in remains)


@pytest.mark.long
def test_groups_that_cannot_be_listed_do_not_stop_the_rest(refusing: Refusing) -> None:
    refusing.refused = "describe_security_groups"
    removals, _ = clean(SPEC, refusing)
    assert state_of(removals, "S3 bucket")[0] is StepState.DONE
