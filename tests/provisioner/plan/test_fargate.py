"""A stack on Fargate: made, found unchanged, turned from one with instances into one without, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus
from provisioner.clients import Clients
from provisioner.doctor.doctor import Doctor, DoctorRequest
from provisioner.errors import CallFailed
from provisioner.export.cloudformation import template
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.local.aws import LocalAWS
from provisioner.plan.executor import provision
from provisioner.plan.planner import plan_provision, stack_of
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import REGION
from tests.support.provisioner.stacks import change_of, changes, plan_for

SPEC = ProvisionSpec(image="docker.io/me/worker:1", prefix="far", fargate=True, spot=True, disk_gib=100)
ON_INSTANCES = dataclasses.replace(SPEC, fargate=False, disk_gib=None)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with LocalAWS(tmp_path_factory.mktemp("aws")) as aws:
        clients = Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)
        provision(SPEC, clients)
        yield clients


def test_it_has_two_environments_on_fargate_and_nothing_of_instances(clients: Clients) -> None:
    found = clients.call("batch", "describe_compute_environments", {})["computeEnvironments"]
    assert {one["computeEnvironmentName"]: one["computeResources"]["type"] for one in found} == {
        "far-spot": "FARGATE_SPOT",
        "far-compute": "FARGATE",
    }
    assert clients.call("ec2", "describe_launch_templates", {})["LaunchTemplates"] == []
    roles = [role["RoleName"] for role in clients.listing("iam", "list_roles", "Roles", {})]
    assert not [name for name in roles if "far-instance" in name]


def test_its_jobs_have_a_size_a_disk_and_an_address_of_their_own(clients: Clients) -> None:
    words = {"jobDefinitionName": "far-job", "status": "ACTIVE"}
    (found,) = clients.listing("batch", "describe_job_definitions", "jobDefinitions", words)
    container = found["containerProperties"]
    assert found["platformCapabilities"] == ["FARGATE"]
    assert {one["type"]: one["value"] for one in container["resourceRequirements"]} == {"VCPU": "1", "MEMORY": "2048"}
    assert container["ephemeralStorage"] == {"sizeInGiB": 100}
    assert container["networkConfiguration"] == {"assignPublicIp": "ENABLED"}  # the default VPC has public subnets
    assert "linuxParameters" not in container


def test_when_all_is_as_asked_for_there_is_nothing_to_change(clients: Clients) -> None:
    assert changes(plan_for(SPEC, clients)) == []


def test_a_disk_of_its_own_that_is_no_longer_asked_for_goes(clients: Clients) -> None:
    assert changes(plan_for(dataclasses.replace(SPEC, disk_gib=None), clients)) == ["update job definition far-job"]


def test_other_limits_change_it_in_place_and_replace_no_instances(clients: Clients) -> None:
    plan = plan_for(dataclasses.replace(SPEC, max_vcpus=16), clients)
    found = [(change.name, change.action, change.note) for change in plan.changes if change.action != PlanAction.KEEP]
    assert found == [(name, PlanAction.UPDATE, "") for name in ("far-spot", "far-compute")]


@pytest.mark.long
def test_a_stack_is_turned_into_one_on_instances_and_back(clients: Clients) -> None:
    plan = plan_for(ON_INSTANCES, clients)
    replaced = {change.name for change in plan.changes if change.action is PlanAction.REPLACE}
    assert replaced == {"far-spot", "far-compute", "far-queue"}
    for spec in (ON_INSTANCES, SPEC):
        provision(spec, clients)
        assert changes(plan_for(spec, clients)) == []
    assert clients.call("ec2", "describe_launch_templates", {})["LaunchTemplates"] == []


def add_nat_gateway(clients: Clients, vpc: str, subnet: str) -> None:
    """A way out of the VPC for what has no address of its own."""
    gateway = clients.call("ec2", "create_nat_gateway", {"SubnetId": subnet})["NatGateway"]["NatGatewayId"]
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    (table,) = clients.call("ec2", "describe_route_tables", {"Filters": here})["RouteTables"]
    out = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": gateway}
    clients.call("ec2", "create_route", {"RouteTableId": table["RouteTableId"], **out})


def test_a_private_subnets_jobs_get_no_public_address(clients: Clients) -> None:
    vpc = clients.call("ec2", "create_vpc", {"CidrBlock": "10.9.0.0/16"})["Vpc"]["VpcId"]
    words = {"VpcId": vpc, "CidrBlock": "10.9.1.0/24", "AvailabilityZone": f"{REGION}a"}
    subnet = clients.call("ec2", "create_subnet", words)["Subnet"]["SubnetId"]
    add_nat_gateway(clients, vpc, subnet)
    spec = dataclasses.replace(SPEC, subnet_ids=(subnet,), prefix="private")
    plan = plan_provision(spec, stack_of(REGION, "private", clients), RemoteState(clients))
    definition = change_of(plan, ResourceKind.JOB_DEFINITION)
    (container,) = [field.after for field in definition.fields if field.path == "containerProperties"]
    assert isinstance(container, dict)
    assert container["networkConfiguration"] == {"assignPublicIp": "DISABLED"}


def test_its_template_has_neither_instances_nor_a_policy_of_their_updates() -> None:
    resources = template(dataclasses.replace(SPEC, image=None))["Resources"]
    assert not {"InstanceRole", "InstanceProfile", "LaunchTemplate"} & set(resources)
    environment = resources["ComputeEnvironment"]["Properties"]
    assert set(environment["ComputeResources"]) == {"Type", "MaxvCpus", "Subnets", "SecurityGroupIds"}
    assert "UpdatePolicy" not in environment


def test_a_job_that_asks_for_a_size_that_fargate_has_not_is_refused(clients: Clients) -> None:
    odd = {"resourceRequirements": [{"type": "MEMORY", "value": "3000"}]}
    words = {"jobName": "odd", "jobQueue": "far-queue", "jobDefinition": "far-job", "containerOverrides": odd}
    with pytest.raises(CallFailed, match="supported with this number of vCPUs"):
        clients.call("batch", "submit_job", words)


@pytest.mark.long
def test_the_doctor_looks_at_fargates_quota_and_at_nothing_of_instances(clients: Clients, tmp_path: Path) -> None:
    asked = DoctorRequest(region=REGION, prefix="far", config=tmp_path / "config.json")
    findings = Doctor(clients=clients, request=asked, sleep=lambda seconds: None).examine()
    results = {one.check.id: one.check for one in findings}
    assert [one.check.id for one in findings if one.failed] == []
    assert "Fargate Spot" in results[CheckId.QUOTAS].evidence
    assert {results[id_].result for id_ in (CheckId.INSTANCE_FIT, CheckId.INSTANCE_ROLE)} == {CheckStatus.NOT_RUN}
