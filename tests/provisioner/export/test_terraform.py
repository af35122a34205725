"""The Terraform configuration, applied: what it makes is what `provision` would make."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from provisioner.clients import Clients
from provisioner.export.terraform import configuration
from provisioner.kinds import PlanAction
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.real_terraform import installed_terraform, planned_by_terraform
from tests.support.provisioner.stacks import NOTHING_MUCH, plan_for
from tests.support.provisioner.terraform import Terraform

OWN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scaler-batch-worker:1"
OTHERS = f"111122223333.dkr.ecr.{REGION}.amazonaws.com/team/worker@sha256:{'0' * 64}"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/bounds"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"
BEFORE = ProvisionSpec(image=None)
INSTANCES = "scaler-batch-instances"
SPOT = ProvisionSpec(image=OTHERS, prefix="team", spot=True, expiry_days=3, permissions_boundary=BOUNDARY)


def test_it_makes_what_provision_makes_of_an_image_that_is_built_later(clients: Clients) -> None:
    apply_for(BEFORE, clients, image=OWN)
    assert left_to_do(ProvisionSpec(image=OWN), clients) == []


@pytest.mark.long
def test_a_key_of_ones_own_is_as_provision_makes_it(clients: Clients) -> None:
    spec = dataclasses.replace(BEFORE, kms_key=KEY)
    apply_for(spec, clients, image=OWN)
    assert left_to_do(dataclasses.replace(spec, image=OWN), clients) == []
    (repository,) = clients.call("ecr", "describe_repositories", {})["repositories"]
    assert repository["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": KEY}
    (version,) = clients.call("ec2", "describe_launch_template_versions", {"LaunchTemplateName": INSTANCES})[
        "LaunchTemplateVersions"
    ]
    (disk,) = version["LaunchTemplateData"]["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["KmsKeyId"]) == (True, KEY)


@pytest.mark.long
def test_spot_and_a_boundary_are_as_provision_makes_them(clients: Clients) -> None:
    spec = dataclasses.replace(SPOT, instance_types=("g5", "g6"), gpus=1)
    clients.call("iam", "create_policy", {"PolicyName": "bounds", "PolicyDocument": NOTHING_MUCH})
    apply_for(spec, clients)
    assert left_to_do(spec, clients) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "chosen",
    [{"fargate": True, "spot": True}, {"ami": "ami-0a1b2c3d4e5f67890", "disk_gib": 200, "shm_mib": 512}],
    ids=["fargate", "own image and disk"],
)
def test_what_jobs_run_on_is_as_provision_makes_it(chosen: dict[str, Any], clients: Clients) -> None:
    spec = dataclasses.replace(SPOT, permissions_boundary=None, **chosen)
    apply_for(spec, clients)
    assert left_to_do(spec, clients) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("image", "source"), [("docker.io/me/worker:1", "none"), (OTHERS, f"{REGION}:111122223333:repository/team/worker")]
)
def test_another_image_is_a_variable_with_its_permission(image: str, source: str, clients: Clients) -> None:
    apply_for(BEFORE, clients, image=image, image_repository=source, create_repository=False)
    assert left_to_do(ProvisionSpec(image=image), clients) == []


def test_limits_of_waiting_jobs_are_blocks_of_the_queue() -> None:
    made = configuration(dataclasses.replace(BEFORE, runnable_limit=20))
    limits = made["resource"]["aws_batch_job_queue"]["job_queue"]["job_state_time_limit_action"]
    assert limits[0] == {
        "action": "CANCEL",
        "max_time_seconds": 1200,
        "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "state": "RUNNABLE",
    }


def test_nothing_in_it_belongs_to_an_account_a_region_or_a_partition() -> None:
    text = json.dumps(configuration(BEFORE))
    assert "arn:aws" not in text
    assert REGION not in text


@pytest.mark.parametrize("spec", [BEFORE, SPOT])
def test_every_resource_that_is_referred_to_is_there(spec: ProvisionSpec) -> None:
    resources = configuration(spec)["resource"]
    referred = set(re.findall(r"\b(aws_\w+)\.(\w+)", re.sub(r"data\.aws_\w+", "", json.dumps(resources))))
    assert referred <= {(kind, name) for kind, named in resources.items() for name in named}


@pytest.mark.skipif(installed_terraform() is None, reason="terraform is not installed")
@pytest.mark.parametrize(
    ("source", "made", "pulled"),
    [
        ("own", True, f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team-worker"),
        (f"{REGION}:111122223333:repository/x", False, f"arn:aws:ecr:{REGION}:111122223333:repository/x"),
        ("none", False, None),
    ],
)
def test_terraform_itself_reads_it_and_works_out_what_depends_on_variables(
    source: str, made: bool, pulled: str | None, tmp_path: Path
) -> None:
    spec = dataclasses.replace(SPOT, image=None, kms_key=KEY, runnable_limit=20)
    chosen = {"image": OTHERS, "image_repository": source, "create_repository": made}
    found = planned_by_terraform(configuration(spec), tmp_path, vpc_id="vpc-1", subnet_ids=["subnet-1"], **chosen)
    assert "${" not in json.dumps(found)
    assert ("aws_ecr_repository.repository" in found) == made
    statements = json.loads(found["aws_iam_role_policy.execution_role"]["policy"])["Statement"]
    assert next((one["Resource"] for one in statements if one["Sid"] == "Pull"), None) == (pulled and [pulled])
    assert found["aws_launch_template.launch_template"]["block_device_mappings"][0]["ebs"]["kms_key_id"] == KEY
    assert found["aws_batch_compute_environment.compute_environment"]["compute_resources"]["subnets"] == ["subnet-1"]


def apply_for(spec: ProvisionSpec, clients: Clients, **variables: object) -> None:
    network = network_of(spec, RemoteState(clients))
    where = {"vpc_id": network.vpc_id, "subnet_ids": list(network.subnet_ids)}
    Terraform(configuration(spec), clients, **where, **variables).apply()


def left_to_do(spec: ProvisionSpec, clients: Clients) -> list[str]:
    """Changes that a plan of the same spec has, in words."""
    changes = plan_for(spec, clients).changes
    return [f"{one} {one.fields}" for one in changes if one.action is not PlanAction.KEEP]
