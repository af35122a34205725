"""Every resource's reading of AWS's own answers: a stack that is as asked for shows no change, however AWS says it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from provisioner.clients import Document
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.drift import live_resources
from provisioner.plan.planner import Claims, plan_provision
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec
from tests.support.recorded_answers import ENCRYPTED, KEY, SPEC, STACK, RecordedClients

ADOPT = Claims(adopt=True)
PROVISIONED = pytest.mark.parametrize(
    ("spec", "when"),
    [(SPEC, ""), (SPEC, "scaled"), (ENCRYPTED, "encrypted")],
    ids=["provisioned", "scaled", "encrypted"],
)


@PROVISIONED
def test_a_plan_of_what_was_provisioned_is_empty(spec: ProvisionSpec, when: str) -> None:
    plan = plan_provision(spec, STACK, RemoteState(RecordedClients(when)))
    assert {change.name: change.fields for change in plan.changes if change.action is not PlanAction.KEEP} == {}


@PROVISIONED
def test_what_was_provisioned_has_no_drift(spec: ProvisionSpec, when: str) -> None:
    living = live_resources(spec, STACK, RemoteState(RecordedClients(when)))
    assert {one.name: (one.drift, one.error) for one in living if one.drift or one.error} == {}


@pytest.mark.parametrize(
    ("kind", "operation", "taken"),
    [
        (ResourceKind.JOB_DEFINITION, "describe_job_definitions", ("retryStrategy", "timeout", "propagateTags")),
        (ResourceKind.JOB_DEFINITION, "describe_job_definitions", ("containerProperties", "parameters")),
        (ResourceKind.COMPUTE_ENVIRONMENT, "describe_compute_environments", ("computeResources", "ecsClusterArn")),
        (ResourceKind.JOB_QUEUE, "describe_job_queues", ("jobStateTimeLimitActions", "tags")),
    ],
)
def test_what_somebody_made_without_optional_members_can_be_read(
    kind: ResourceKind, operation: str, taken: tuple[str, ...]
) -> None:
    living = live_resources(SPEC, STACK, RemoteState(Without(operation, *taken)))
    assert [one.error for one in living if one.kind is kind and one.error] == []


class Without(RecordedClients):
    """Without some members of one operation's entries, as for what was made by hand in another form."""

    def __init__(self, operation: str, *taken: str) -> None:
        super().__init__()
        self._operation = operation
        self._taken = taken

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        entries = super().listing(service, operation, key, parameters)
        if operation != self._operation:
            return entries
        return [{name: one for name, one in entry.items() if name not in self._taken} for entry in entries]


def test_a_key_that_comes_later_changes_what_can_change_and_says_the_rest() -> None:
    plan = plan_provision(ENCRYPTED, STACK, RemoteState(RecordedClients()))
    paths = {change.kind: {field.path for field in change.fields} for change in plan.changes if change.fields}
    assert paths[ResourceKind.BUCKET] == {
        f"encryption.{name}" for name in ("BucketKeyEnabled", "KMSMasterKeyID", "SSEAlgorithm")
    }
    assert paths[ResourceKind.LOG_GROUP] == {"kmsKeyId"}
    assert paths[ResourceKind.LAUNCH_TEMPLATE] == {"data.BlockDeviceMappings[0].Ebs.KmsKeyId"}
    assert {"computeResources.launchTemplate.version"} == paths[ResourceKind.COMPUTE_ENVIRONMENT]
    assert ResourceKind.REPOSITORY not in paths
    assert any("team-worker stays under the key" in note for note in plan.notes)
    assert any(f"--only kms-key --region us-east-1 --prefix team --kms-key {KEY}" in note for note in plan.notes)


def test_a_key_that_nobody_asked_for_is_no_drift() -> None:
    living = live_resources(SPEC, STACK, RemoteState(RecordedClients("encrypted")))
    drifted = {one.kind for one in living if one.drift}
    assert drifted == {ResourceKind.ROLE}  # whose statement about the key goes


def test_in_an_account_without_any_of_it_everything_is_made() -> None:
    plan = plan_provision(SPEC, STACK, RemoteState(RecordedClients("nothing")))
    assert {change.action for change in plan.changes} == {PlanAction.CREATE}


def test_a_bucket_without_settings_gets_all_of_them() -> None:
    clients = RecordedClients("bare")
    plan = plan_provision(SPEC, STACK, RemoteState(clients), ADOPT)
    (bucket,) = (change for change in plan.changes if change.kind is ResourceKind.BUCKET)
    assert {field.path.partition(".")[0] for field in bucket.fields} == {
        "tags",
        "ownership",
        "encryption",
        "publicAccessBlock",
        "expiry",
        "tlsOnly",
    }
