"""Provisioning an account: everything made as AWS advises, nothing twice, changed in place."""

from __future__ import annotations

import dataclasses
import json

import boto3
import pytest

from engine.errors import ConfigError
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError, StepFailed
from provisioner.kinds import PlanAction
from provisioner.plan.executor import PlanExecutor, provision
from provisioner.plan.model import Change, Plan
from provisioner.plan.planner import Claims
from provisioner.resources.bucket import EXPIRY_RULE
from provisioner.stack.spec import ProvisionSpec
from tests.provisioner.conftest import ACCOUNT, REGION
from tests.support.provisioner.stacks import NOTHING_MUCH, Refusing, account, apply, change_of, changes, clean, plan_for

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"


def definition(clients: Clients) -> Document:
    listed = clients.listing(
        "batch", "describe_job_definitions", "jobDefinitions", {"jobDefinitionName": "scaler-batch-job"}
    )
    return max(listed, key=lambda found: int(found["revision"]))


def environment(clients: Clients, name: str = "scaler-batch-compute") -> Document:
    words = {"computeEnvironments": [name]}
    (found,) = clients.call("batch", "describe_compute_environments", words)["computeEnvironments"]
    resources: Document = found["computeResources"]
    return resources


# ---- what is made


def test_the_result_names_what_the_env_file_needs(clients: Clients) -> None:
    made = provision(SPEC, clients)
    assert (made.region, made.bucket) == (REGION, BUCKET)
    assert (made.job_queue, made.job_definition) == ("scaler-batch-queue", "scaler-batch-job")


def test_a_second_provision_finds_nothing_to_do(clients: Clients) -> None:
    apply(SPEC, clients)
    assert changes(plan_for(SPEC, clients)) == []


def test_planning_changes_nothing(clients: Clients) -> None:
    before = account(clients)
    plan_for(SPEC, clients)
    assert account(clients) == before


def test_the_queue_and_its_environment_are_usable(clients: Clients) -> None:
    apply(SPEC, clients)
    (queue,) = clients.call("batch", "describe_job_queues", {})["jobQueues"]
    (found,) = clients.call("batch", "describe_compute_environments", {})["computeEnvironments"]
    assert (queue["state"], queue["status"]) == ("ENABLED", "VALID")
    assert queue["computeEnvironmentOrder"][0]["computeEnvironment"] == found["computeEnvironmentArn"]
    assert environment(clients)["maxvCpus"] == 256


def test_the_definition_gives_the_runner_its_four_parameters(clients: Clients) -> None:
    apply(SPEC, clients)
    found = definition(clients)
    names = ("store", "submission", "payload", "options")
    words = [word for name in names for word in (f"--{name}", f"Ref::{name}")]
    assert found["containerProperties"]["command"] == words
    assert found["parameters"] == dict.fromkeys(names, "none")


def test_the_definition_retries_lost_hosts_and_nothing_else_by_default(clients: Clients) -> None:
    apply(SPEC, clients)
    strategy = definition(clients)["retryStrategy"]
    assert strategy["attempts"] == 3
    last = strategy["evaluateOnExit"][-1]
    assert (last["onReason"], last["action"].upper()) == ("*", "EXIT")


def test_the_definition_asks_for_the_containers_share_of_the_memory(clients: Clients) -> None:
    apply(SPEC, clients)
    required = definition(clients)["containerProperties"]["resourceRequirements"]
    assert {"type": "MEMORY", "value": "3686"} in required


def test_a_job_runs_as_nobody(clients: Clients) -> None:
    apply(SPEC, clients)
    assert definition(clients)["containerProperties"]["user"] == "65534:65534"


def test_the_bucket_is_private_encrypted_and_for_tls_only(clients: Clients) -> None:
    apply(SPEC, clients)
    words = {"Bucket": BUCKET}
    blocked = clients.call("s3", "get_public_access_block", words)["PublicAccessBlockConfiguration"]
    (rule,) = clients.call("s3", "get_bucket_encryption", words)["ServerSideEncryptionConfiguration"]["Rules"]
    owner = clients.call("s3", "get_bucket_ownership_controls", words)["OwnershipControls"]["Rules"][0]
    (statement,) = json.loads(clients.call("s3", "get_bucket_policy", words)["Policy"])["Statement"]
    assert all(blocked.values())
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_instances_have_no_way_in_and_want_tokens_for_metadata(clients: Clients) -> None:
    apply(SPEC, clients)
    groups = clients.listing("ec2", "describe_security_groups", "SecurityGroups", {})
    (group,) = (group for group in groups if group["GroupName"] == "scaler-batch-instances")
    words = {"LaunchTemplateName": "scaler-batch-instances", "Versions": ["$Default"]}
    (version,) = clients.call("ec2", "describe_launch_template_versions", words)["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert group["IpPermissions"] == []
    assert environment(clients)["securityGroupIds"] == [group["GroupId"]]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_gpus_come_with_the_image_that_has_their_driver(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, gpus=1, instance_types=("g5.xlarge",)), clients)
    assert environment(clients)["ec2Configuration"] == [{"imageType": "ECS_AL2023_NVIDIA"}]
    assert {"type": "GPU", "value": "1"} in definition(clients)["containerProperties"]["resourceRequirements"]


def test_spot_goes_first_and_on_demand_takes_the_rest(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, spot=True), clients)
    (queue,) = clients.call("batch", "describe_job_queues", {})["jobQueues"]
    order = [one["computeEnvironment"].rpartition("/")[2] for one in queue["computeEnvironmentOrder"]]
    assert order == ["scaler-batch-spot", "scaler-batch-compute"]
    assert environment(clients, "scaler-batch-spot")["allocationStrategy"] == "SPOT_PRICE_CAPACITY_OPTIMIZED"


def test_roles_carry_the_boundary_that_was_asked_for(clients: Clients) -> None:
    words = {"PolicyName": "edge", "PolicyDocument": NOTHING_MUCH}
    boundary = clients.call("iam", "create_policy", words)["Policy"]["Arn"]
    apply(dataclasses.replace(SPEC, permissions_boundary=boundary), clients)
    role = clients.call("iam", "get_role", {"RoleName": "scaler-batch-job-us-east-1"})["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary


def test_the_default_network_is_announced(clients: Clients) -> None:
    assert any("default VPC" in note for note in plan_for(SPEC, clients).notes)


def test_a_container_that_gets_less_than_was_asked_for_is_told(clients: Clients) -> None:
    assert any("3686 MiB of 4096 MiB" in note for note in plan_for(SPEC, clients).notes)


# ---- what changes


def test_a_changed_image_makes_one_new_revision_and_takes_the_old_one_away(clients: Clients) -> None:
    apply(SPEC, clients)
    changed = dataclasses.replace(SPEC, image="docker.io/me/worker:2")
    assert changes(plan_for(changed, clients)) == [
        "update IAM role scaler-batch-execution-us-east-1",
        "update job definition scaler-batch-job",
    ]
    apply(changed, clients)
    words = {"jobDefinitionName": "scaler-batch-job", "status": "ACTIVE"}
    active = clients.listing("batch", "describe_job_definitions", "jobDefinitions", words)
    assert [found["revision"] for found in active] == [2]


def test_changed_limits_are_the_fields_of_the_plan_and_change_the_environment(clients: Clients) -> None:
    apply(SPEC, clients)
    changed = dataclasses.replace(SPEC, max_vcpus=16, instance_types=("c7i",))
    change = change_of(plan_for(changed, clients), "compute environment")
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("computeResources.instanceTypes[0]", "optimal", "c7i"),
        ("computeResources.maxvCpus", 256, 16),
    ]


def test_without_spot_its_environment_goes_after_the_queue_let_go_of_it(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, spot=True), clients)
    assert changes(plan_for(SPEC, clients)) == [
        "update job queue scaler-batch-queue",
        "delete compute environment scaler-batch-spot",
    ]


def test_another_vpc_moves_the_security_group_there(clients: Clients) -> None:
    apply(SPEC, clients)
    vpc = clients.call("ec2", "create_vpc", {"CidrBlock": "10.9.0.0/16"})["Vpc"]["VpcId"]
    clients.call("ec2", "create_subnet", {"VpcId": vpc, "CidrBlock": "10.9.1.0/24"})
    words = changes(plan_for(dataclasses.replace(SPEC, vpc_id=vpc), clients))
    assert words[0] == "create security group scaler-batch-instances"
    assert words[-1] == "delete security group scaler-batch-instances"


def test_an_opened_security_group_is_closed_again(clients: Clients) -> None:
    apply(SPEC, clients)
    group = environment(clients)["securityGroupIds"][0]
    way_in = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    clients.call("ec2", "authorize_security_group_ingress", {"GroupId": group, "IpPermissions": [way_in]})
    assert changes(plan_for(SPEC, clients)) == ["update security group scaler-batch-instances"]
    apply(SPEC, clients)
    assert changes(plan_for(SPEC, clients)) == []


def test_lifecycle_rules_and_policy_statements_of_others_are_left_alone(clients: Clients) -> None:
    apply(SPEC, clients)
    foreign = {"ID": "mine", "Filter": {"Prefix": "x/"}, "Status": "Enabled", "Expiration": {"Days": 9}}
    rules = {"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [foreign]}}
    clients.call("s3", "put_bucket_lifecycle_configuration", rules)
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**theirs, "Resource": f"arn:aws:s3:::{BUCKET}/*"}]})
    clients.call("s3", "put_bucket_policy", {"Bucket": BUCKET, "Policy": policy})
    apply(SPEC, clients)
    found = clients.call("s3", "get_bucket_lifecycle_configuration", {"Bucket": BUCKET})["Rules"]
    statements = json.loads(clients.call("s3", "get_bucket_policy", {"Bucket": BUCKET})["Policy"])["Statement"]
    assert {rule["ID"] for rule in found} == {"mine", EXPIRY_RULE}
    assert {statement["Sid"] for statement in statements} == {"Theirs", "TLSOnly"}


def test_tags_of_others_are_no_difference(clients: Clients) -> None:
    apply(SPEC, clients)
    role = {"RoleName": "scaler-batch-job-us-east-1", "Tags": [{"Key": "cost-center", "Value": "7"}]}
    clients.call("iam", "tag_role", role)
    assert changes(plan_for(SPEC, clients)) == []


def test_a_run_that_is_cut_short_after_any_step_is_finished_by_the_next(clients: Clients) -> None:
    bucket_is_ours = Claims(begun=frozenset({f"S3 bucket {BUCKET}"}))
    for _ in list(plan_for(SPEC, clients).instructions):
        plan = plan_for(SPEC, clients, bucket_is_ours)
        if not plan:
            break
        first = next(change for change in plan.changes if change.steps)
        cut = Change(first.action, first.kind, first.name, steps=first.steps[:1])
        PlanExecutor(clients, lambda progress: None).run(Plan((cut,)))
    assert changes(plan_for(SPEC, clients)) == []


# ---- what is refused


def test_a_resource_that_somebody_else_made_is_refused_and_named(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    with pytest.raises(ProvisionError, match=f"S3 bucket {BUCKET}.*--adopt"):
        plan_for(SPEC, clients)


def test_adopting_takes_it_over(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    adopt = Claims(adopt=True)
    change = change_of(plan_for(SPEC, clients, adopt), "S3 bucket")
    assert change.action is PlanAction.UPDATE
    assert "taken over" in change.note
    apply(SPEC, clients, adopt)
    assert changes(plan_for(SPEC, clients)) == []


@pytest.mark.parametrize("network", [{"vpc_id": "vpc-0000"}, {"subnet_ids": ("subnet-0000",)}])
def test_a_network_that_does_not_exist_is_wrong_usage(clients: Clients, network: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="-0000"):
        plan_for(dataclasses.replace(SPEC, **network), clients)  # type: ignore[arg-type]


@pytest.fixture
def refusing(account_url: str, session: boto3.Session) -> Refusing:
    return Refusing(account_url, session)


def test_a_step_that_aws_refuses_is_named_with_aws_own_words(refusing: Refusing) -> None:
    refusing.refused = "create_job_queue"
    with pytest.raises(StepFailed) as caught:
        provision(SPEC, refusing)
    assert str(caught.value).startswith("Could not create job queue scaler-batch-queue: AWS refused ")
    assert "AccessDenied: not allowed." in str(caught.value)


def test_a_read_that_aws_refuses_is_not_taken_for_missing(refusing: Refusing) -> None:
    refusing.refused = "get_role"
    with pytest.raises(CallFailed, match="AccessDenied"):
        provision(SPEC, refusing)


def test_after_a_whole_life_the_account_is_as_it_was(clients: Clients) -> None:
    before = account(clients)
    apply(SPEC, clients)
    apply(dataclasses.replace(SPEC, max_vcpus=8, spot=True, instance_types=("c7i", "m7i")), clients)
    clean(SPEC, clients)
    assert account(clients) == before
