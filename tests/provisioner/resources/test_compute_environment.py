"""Compute environments: usable, changed in place, with the image that GPUs need."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from provisioner.clients import Clients, Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction, Plan, WaitUntil
from provisioner.plan.planner import plan_provision
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec
from tests.support import recorded_answers
from tests.support.provisioner.stacks import (
    apply,
    change_of,
    compute_resources,
    newest_definition,
    plan_for,
)
from tests.support.recorded_answers import STACK, RecordedClients

RECORDED_SPEC = recorded_answers.SPEC
SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_gpus_come_with_the_image_that_has_their_driver(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, gpus=1, instance_types=("g5.xlarge",)), clients)
    assert compute_resources(clients)["ec2Configuration"] == [{"imageType": "ECS_AL2023_NVIDIA"}]
    assert {"type": "GPU", "value": "1"} in newest_definition(clients)["containerProperties"]["resourceRequirements"]


def test_a_system_image_of_ones_own_is_taken_and_given_up_again(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, ami="ami-0a1b2c3d"), clients)
    images = compute_resources(clients)["ec2Configuration"]
    assert images == [{"imageType": "ECS_AL2023", "imageIdOverride": "ami-0a1b2c3d"}]
    change = change_of(plan_for(SPEC, clients), ResourceKind.COMPUTE_ENVIRONMENT)
    paths = ["computeResources.ec2Configuration[0].imageIdOverride"]
    assert [field.path for field in change.fields] == paths
    (update,) = [one for one in change.steps if isinstance(one, ApiCall)]
    assert update.parameters["computeResources"] == {"ec2Configuration": [{"imageType": "ECS_AL2023"}]}


def test_changed_limits_are_the_fields_of_the_plan_and_change_the_environment(clients: Clients) -> None:
    apply(SPEC, clients)
    changed = dataclasses.replace(SPEC, max_vcpus=16, instance_types=("c7i",))
    change = change_of(plan_for(changed, clients), ResourceKind.COMPUTE_ENVIRONMENT)
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("computeResources.instanceTypes[0]", "optimal", "c7i"),
        ("computeResources.maxvCpus", 256, 16),
    ]


# ---- changes while jobs run


def changed(clients: RecordedClients, **choices: object) -> Plan:
    spec = dataclasses.replace(RECORDED_SPEC, **choices)  # type: ignore[arg-type]
    return plan_provision(spec, STACK, RemoteState(clients))


def steps_of(plan: Plan, name: str) -> tuple[Instruction, ...]:
    (change,) = (one for one in plan.changes if one.name == name)
    return change.steps


@pytest.mark.parametrize(("timeout", "minutes"), [(60, 60), (20160, 7200)])
def test_jobs_have_their_whole_time_when_their_instances_are_replaced(timeout: int, minutes: int) -> None:
    plan = changed(RecordedClients(), instance_types=("m7i",), job_timeout=timeout)
    (update,) = steps_of(plan, "team-compute")
    assert isinstance(update, ApiCall)
    assert update.parameters["updatePolicy"] == {
        "terminateJobsOnUpdate": False,
        "jobExecutionTimeoutMinutes": minutes,
    }


def test_instances_that_are_replaced_are_not_waited_for_and_the_plan_says_what_ends() -> None:
    plan = changed(RecordedClients(), instance_types=("m7i",), runnable_limit=20)
    assert [step for step in steps_of(plan, "team-compute") if isinstance(step, WaitUntil)] == []
    notes = [change.note for change in plan.changes if change.name == "team-compute"]
    assert notes == ["replaces instances, which AWS does after this; jobs that run for 60 more minutes end"]
    assert [type(step) for step in steps_of(plan, "team-queue")] == [ApiCall, WaitUntil]


def test_another_size_touches_no_instance_and_is_waited_for() -> None:
    plan = changed(RecordedClients(), max_vcpus=512)
    assert [type(step) for step in steps_of(plan, "team-compute")] == [ApiCall, WaitUntil]
    assert [change.note for change in plan.changes if change.name == "team-compute"] == [""]


class Updating(RecordedClients):
    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        entries = super().listing(service, operation, key, parameters)
        updating = {"status": "UPDATING"} if operation == "describe_compute_environments" else {}
        return [{**one, **updating} for one in entries]


def test_while_aws_replaces_instances_there_is_nothing_to_do() -> None:
    assert not changed(Updating())


def test_the_next_change_waits_for_the_one_before() -> None:
    wait, update, *_ = steps_of(changed(Updating(), max_vcpus=512), "team-compute")
    assert isinstance(wait, WaitUntil)
    assert wait.statuses == {"VALID", "INVALID"}
    assert isinstance(update, ApiCall)
