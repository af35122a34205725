"""The template says what `provision` makes, resource by resource, and CloudFormation's linter is content with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from provisioner.clients import Clients
from provisioner.export.cloudformation import template
from provisioner.local.aws import LocalAWS
from provisioner.plan.executor import provision
from provisioner.plan.planner import stack_of
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.cases import first_now
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.living_stack import Living
from tests.support.provisioner.stacks import NOTHING_MUCH
from tests.support.provisioner.template_resolution import resolved

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/bounds"
PLAIN = ProvisionSpec(image="docker.io/me/worker:1", prefix="plain")
FULL = ProvisionSpec(
    image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team-worker@sha256:{'0' * 64}",
    prefix="team",
    gpus=1,
    instance_types=("g5", "g6"),
    spot=True,
    permissions_boundary=BOUNDARY,
    s3_prefix="ours/tasks",
    expiry_days=3,
    runnable_limit=20,
    disk_gib=200,
    shm_mib=512,
    efs=("fs-0a1b2c3d:/mnt/data",),
    ami="ami-0a1b2c3d",
)
ON_FARGATE = dataclasses.replace(PLAIN, fargate=True, spot=True, disk_gib=40, efs=("fs-0a1b2c3d/fsap-0a1b2c3d:/mnt",))
NAMES = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::Batch::ComputeEnvironment": "ComputeEnvironmentName",
    "AWS::Batch::JobQueue": "JobQueueName",
    "AWS::Batch::JobDefinition": "JobDefinitionName",
}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Of a local AWS: it keeps what moto forgets about Batch."""
    with LocalAWS(tmp_path_factory.mktemp("aws")) as aws:
        clients = Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)
        clients.call("iam", "create_policy", {"PolicyName": "bounds", "PolicyDocument": NOTHING_MUCH})
        yield clients


@pytest.mark.long
@pytest.mark.parametrize("spec", [PLAIN, FULL, dataclasses.replace(FULL, image=None), ON_FARGATE])
def test_the_linter_finds_nothing(spec: ProvisionSpec) -> None:
    """Neither an error nor a warning; its pieces of information are about itself."""
    from cfnlint.api import lint_all  # heavy: every worker would pay for it

    found = lint_all(json.dumps(template(spec)))
    assert [str(one) for one in found if not one.rule.id.startswith("I")] == []


def test_each_exception_from_a_scanners_rules_has_its_reason() -> None:
    """`.ci/checkov` holds that there are no other findings."""
    listed = [
        one.get("Metadata", {}).get("checkov", {}).get("skip", []) for one in template(FULL)["Resources"].values()
    ]
    skipped = {rule["id"]: rule["comment"] for rules in listed for rule in rules}
    assert set(skipped) == {"CKV_AWS_18", "CKV_AWS_21", "CKV_AWS_158", "CKV_AWS_136"}
    assert all(reason.endswith(".") for reason in skipped.values())


def test_the_same_spec_gives_the_same_text() -> None:
    assert json.dumps(template(FULL)) == json.dumps(template(dataclasses.replace(FULL)))


def test_nothing_in_it_belongs_to_an_account_a_region_or_a_partition() -> None:
    made = template(PLAIN)
    assert "arn:aws" not in json.dumps(made)
    assert REGION not in json.dumps(made)


def test_what_was_asked_for_is_the_parameters_default() -> None:
    spec = dataclasses.replace(PLAIN, vpc_id="vpc-0a1b2c3d", subnet_ids=("subnet-0a1b2c3d", "subnet-1a2b3c4d"))
    parameters = template(spec)["Parameters"]
    assert {name: one.get("Default") for name, one in parameters.items()} == {
        "Image": "docker.io/me/worker:1",
        "VpcId": "vpc-0a1b2c3d",
        "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
        "ImageRepository": "none",
    }


def test_what_holds_data_outlives_the_stack() -> None:
    resources = template(FULL)["Resources"]
    kept = {name for name, one in resources.items() if one.get("UpdateReplacePolicy") == "Retain"}
    assert kept == {"Bucket", "BucketPolicy", "LogGroup"}


@pytest.mark.parametrize(
    ("image", "source"),
    [
        (None, "own"),
        ("docker.io/me/worker:1", "none"),
        (FULL.image, f"{REGION}:{ACCOUNT}:repository/team-worker"),
    ],
)
def test_the_image_says_what_may_be_pulled_unless_a_parameter_does(image: str | None, source: str) -> None:
    made = template(dataclasses.replace(FULL, image=image))
    assert made["Parameters"]["ImageRepository"]["Default"] == source


@pytest.mark.parametrize(("image", "makes"), [(None, "true"), (FULL.image, "false")])
def test_the_repository_is_made_unless_its_image_is_there(image: str | None, makes: str) -> None:
    made = template(dataclasses.replace(FULL, image=image))
    assert made["Parameters"]["CreateRepository"]["Default"] == makes
    assert made["Resources"]["Repository"]["Condition"] == "CreatesRepository"


def test_a_key_of_ones_own_is_a_parameter_wherever_it_stands() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"
    made = template(dataclasses.replace(FULL, kms_key=key))
    assert made["Parameters"].pop("KmsKey")["Default"] == key
    assert key not in json.dumps(made)
    resources = {name: one["Properties"] for name, one in made["Resources"].items()}
    rules = resources["Bucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "KmsKey"}}
    assert rules == [{"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
    assert resources["LogGroup"]["KmsKeyId"] == {"Ref": "KmsKey"}
    (disk,) = resources["LaunchTemplate"]["LaunchTemplateData"]["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["KmsKeyId"]) == (True, {"Ref": "KmsKey"})
    assert resources["Repository"]["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": {"Ref": "KmsKey"}}


def test_an_update_of_the_stack_leaves_jobs_their_time() -> None:
    resources = template(dataclasses.replace(PLAIN, job_timeout=600))["Resources"].values()
    policies = [one["Properties"]["UpdatePolicy"] for one in resources if "UpdatePolicy" in one["Properties"]]
    assert policies == [{"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": 600}]


def test_an_image_that_is_still_to_be_built_is_a_parameter_without_default() -> None:
    made = template(dataclasses.replace(PLAIN, image=None))
    assert "Default" not in made["Parameters"]["Image"]
    assert "Repository" in made["Resources"]


@pytest.mark.parametrize("spec", first_now([PLAIN, FULL]), ids=["plain", "full"])
def test_each_resource_is_as_provision_makes_it(spec: ProvisionSpec, clients: Clients) -> None:
    provision(spec, clients)
    stack = stack_of(spec.region, spec.prefix, clients)
    living = Living(clients, stack)
    for logical_id, (kind, properties) in resolved_resources(spec, stack, clients, living).items():
        properties.pop("UpdatePolicy", None)  # `provision` sends it with each update
        assert living.read(kind, properties[NAMES[kind]]) == properties, logical_id


@pytest.mark.long
def test_every_resource_that_provision_makes_is_there() -> None:
    plain = {"Bucket", "BucketPolicy", "LogGroup", "JobRole", "ExecutionRole", "InstanceRole", "InstanceProfile"}
    plain |= {"SecurityGroup", "LaunchTemplate", "ComputeEnvironment", "JobQueue", "JobDefinition"}
    assert set(template(PLAIN)["Resources"]) == plain
    assert set(template(FULL)["Resources"]) == plain | {"Repository", "SpotComputeEnvironment"}


def resolved_resources(
    spec: ProvisionSpec, stack: Stack, clients: Clients, living: Living
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Types and properties by logical id, but for how CloudFormation goes about changes: that doesn't live."""
    references = references_of(spec, stack, clients, living)
    return {
        name: (
            one["Type"],
            {
                key: resolved(value, references)
                for key, value in one["Properties"].items()
                if key not in ("ReplaceComputeEnvironment", "EmptyOnDelete")
            },
        )
        for name, one in template(spec)["Resources"].items()
    }


def references_of(spec: ProvisionSpec, stack: Stack, clients: Clients, living: Living) -> dict[str, Any]:
    network = network_of(spec, RemoteState(clients))
    launch_template = living.template(stack.instances)
    roles = {"Job": stack.job_role, "Execution": stack.execution_role, "Instance": stack.instance_role}
    return {
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "Image": spec.image,
        "ImageRepository": template(spec)["Parameters"]["ImageRepository"]["Default"],
        "PullsFromOwnRepository": False,
        "PullsFromNoRepository": spec is PLAIN,
        "VpcId": network.vpc_id,
        "SubnetIds": list(network.subnet_ids),
        "PermissionsBoundary": spec.permissions_boundary,
        "Bucket": stack.bucket,
        "Bucket.Arn": f"arn:aws:s3:::{stack.bucket}",
        "LogGroup": stack.log_group,
        "InstanceRole": stack.instance_role,
        "SecurityGroup.GroupId": living.group(stack.instances)["GroupId"],
        "LaunchTemplate": launch_template["LaunchTemplateId"],
        "LaunchTemplate.LatestVersionNumber": str(launch_template["LatestVersionNumber"]),
        "InstanceProfile.Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/{stack.instance_role}",
        "ComputeEnvironment": f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/{stack.compute_environment}",
        "SpotComputeEnvironment": f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/{stack.spot_environment}",
        **{f"{word}Role.Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}" for word, name in roles.items()},
    }
