"""What each policy allows, and nothing more; as AWS's own linter rules and managed policies see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data
from parliament import analyze_policy_string

from container.batch_job_wire.protocol import fence_key, mark_key, marks_prefix, result_key, results_prefix
from engine.backends.batch.names import StoreLayout
from provisioner.export.policies import Principal, policies
from provisioner.policies import (
    MANAGED_POLICY_CHARACTERS,
    Policy,
    counted_characters,
    execution_policy,
    instance_policy,
    job_policy,
    manager_policy,
    provisioner_policy,
    trust,
)
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.permissions.matching import Need, allows

STACK = Stack("eu-west-1", "team", "123456789012", "aws")
CHINA = Stack("cn-north-1", "team", "123456789012", "aws-cn", "amazonaws.com.cn")
SPEC = ProvisionSpec(image=None, region="eu-west-1", prefix="team")
BOUNDARY = "arn:aws:iam::123456789012:policy/bounds"

EXPECTED_FINDINGS = {
    # TLS only is a bucket policy: whoever may write one may also let himself in.
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
    # A group is made in a VPC: AWS asks for that, too, but the linter knows the group only.
    "RESOURCE_MISMATCH",
}


def statements(policy: Policy) -> dict[str, Any]:
    listed = cast("list[dict[str, Any]]", policy["Statement"])
    return {statement["Sid"]: statement for statement in listed}


def actions(policy: Policy) -> set[str]:
    return {action for statement in statements(policy).values() for action in statement["Action"]}


def test_a_job_reads_payloads_and_the_fence_and_writes_results_only() -> None:
    found = statements(job_policy(STACK))
    keys = "arn:aws:s3:::team-123456789012-eu-west-1/scaler-tasks/*"
    assert set(found["Read"]["Resource"]) == {
        f"{keys}/objects/*",
        f"{keys}/payloads/*",
        f"{keys}/results/*",
        f"{keys}/fence/*",
    }
    assert found["WriteResults"]["Resource"] == [f"{keys}/results/*"]


ROOT, SUBMISSION, TASK = "scaler-tasks/wm", "5" * 32, "a" * 32


def may_list(prefix: str) -> bool:
    return allows(job_policy(STACK), Need.of("s3:ListBucket", STACK.bucket_arn, **{"s3:prefix": prefix}))


@pytest.mark.parametrize("key_of_task", [result_key, mark_key])
def test_a_missing_fence_result_or_mark_is_404_for_a_job(key_of_task: Callable[[str, bytes], str]) -> None:
    assert may_list(f"{ROOT}/{fence_key(SUBMISSION)}")
    assert may_list(f"{ROOT}/{key_of_task(SUBMISSION, bytes.fromhex(TASK))}")


@pytest.mark.parametrize("prefix_of", [results_prefix, marks_prefix])
def test_a_job_lists_the_results_and_marks_of_a_submission_whose_id_it_knows(prefix_of: Callable[[str], str]) -> None:
    """A pack asks which of its entries are done or cancelled; the bundle names the tasks to it anyway."""
    assert may_list(f"{ROOT}/{prefix_of(SUBMISSION)}")


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "scaler-tasks/",
        ROOT,
        f"{ROOT}/",
        f"{ROOT}/payloads/",
        f"{ROOT}/payloads/{SUBMISSION}",
        f"{ROOT}/payloads/{SUBMISSION}-",
        f"{ROOT}/objects/",
        f"{ROOT}/results/",
        f"{ROOT}/results/{SUBMISSION}",
        f"{ROOT}/results/{SUBMISSION[:-1]}/",
        f"{ROOT}/results/{SUBMISSION}/{TASK[:-1]}",
        f"{ROOT}/fence/",
        f"{ROOT}/fence/{SUBMISSION[:-1]}",
        f"{ROOT}/lease",
        "scaler-tasks/fence/payloads/",
        "scaler-tasks/results/payloads/",
    ],
)
def test_a_job_lists_nothing_that_it_can_not_name_already(prefix: str) -> None:
    assert not may_list(prefix)


def test_a_job_can_not_list_without_a_prefix() -> None:
    assert not allows(job_policy(STACK), Need.of("s3:ListBucket", STACK.bucket_arn))


@pytest.mark.parametrize("name", ["lease", f"payloads/{SUBMISSION}", f"objects/{'0' * 64}", f"fence/{SUBMISSION}"])
def test_a_job_writes_nothing_but_results(name: str) -> None:
    assert not allows(job_policy(STACK), Need.of("s3:PutObject", f"{STACK.bucket_arn}/{ROOT}/{name}"))


def test_a_job_can_not_read_the_lease_with_the_signing_key() -> None:
    layout = StoreLayout("bucket", "scaler-tasks", "wm")
    assert not allows(job_policy(STACK), Need.of("s3:GetObject", f"{STACK.bucket_arn}/{layout.lease}"))
    assert allows(manager_policy(STACK), Need.of("s3:GetObject", f"{STACK.bucket_arn}/{layout.lease}"))


def test_another_key_prefix_is_the_only_one_that_is_opened() -> None:
    text = json.dumps([job_policy(STACK, "ours/tasks"), manager_policy(STACK, "ours/tasks")])
    assert "eu-west-1/ours/tasks/*" in text
    assert "scaler-tasks" not in text


def test_a_worker_manager_ends_jobs_of_its_own_stack_only_and_touches_its_own_prefix_only() -> None:
    found = statements(manager_policy(STACK))
    assert found["Stop"]["Condition"] == {"StringEquals": {"aws:ResourceTag/opengris:stack": "team"}}
    assert found["StopChildren"]["Resource"] == ["arn:aws:batch:eu-west-1:123456789012:job/*:*"]
    assert found["Objects"]["Resource"] == ["arn:aws:s3:::team-123456789012-eu-west-1/scaler-tasks/*"]
    assert found["ReadLogs"]["Resource"] == ["arn:aws:logs:eu-west-1:123456789012:log-group:/scaler/team:log-stream:*"]


def test_a_worker_manager_may_end_a_child_of_an_array_though_that_carries_no_tags() -> None:
    policy, job = manager_policy(STACK), "arn:aws:batch:eu-west-1:123456789012:job/01234567-89ab"
    ours, others = ({"aws:ResourceTag/opengris:stack": stack} for stack in ("team", "another"))
    calls = [(f"{job}:4", {}), (job, ours), (job, others), (job, {})]
    may = [allows(policy, Need.of("batch:TerminateJob", where, **tags)) for where, tags in calls]
    assert may == [True, True, False, False]


@pytest.mark.parametrize(
    "host",
    [
        "dkr.ecr.us-east-1.amazonaws.com",
        "dkr.ecr-fips.us-east-1.amazonaws.com",
        "dkr-ecr.us-east-1.on.aws",
        "dkr-ecr-fips.us-east-1.on.aws",
    ],
)
@pytest.mark.parametrize("version", ["@sha256:abc", ":1", ""])
def test_an_image_in_ecr_may_be_pulled_from_its_repository_only(host: str, version: str) -> None:
    found = statements(execution_policy(STACK, f"210987654321.{host}/ml/worker{version}"))
    assert found["Pull"]["Resource"] == ["arn:aws:ecr:us-east-1:210987654321:repository/ml/worker"]


def test_an_image_that_is_still_to_be_built_will_be_pulled_from_the_stacks_own_repository() -> None:
    found = statements(execution_policy(STACK, None))
    assert found["Pull"]["Resource"] == ["arn:aws:ecr:eu-west-1:123456789012:repository/team-worker"]


def test_an_image_of_another_registry_needs_no_ecr_permission() -> None:
    assert set(statements(execution_policy(STACK, "docker.io/me/worker:1"))) == {"WriteLog"}


@pytest.mark.parametrize("stack", [CHINA, Stack("us-gov-west-1", "team", "123456789012", "aws-us-gov")])
def test_every_arn_is_of_the_stacks_partition(stack: Stack) -> None:
    text = json.dumps(policies(SPEC, stack, adopt=True))
    assert f"arn:{stack.partition}:iam" in text
    assert "arn:aws:" not in text


def test_in_china_the_instance_role_is_passed_to_the_service_of_that_name() -> None:
    found = statements(provisioner_policy(CHINA))["PassToInstances"]["Condition"]["StringEquals"]
    assert found["iam:PassedToService"] == ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]


def test_containers_assume_their_roles_for_our_account_only() -> None:
    text = json.dumps(trust("ecs-tasks.amazonaws.com", STACK))
    assert '"aws:SourceAccount": "123456789012"' in text


def test_roles_are_passed_to_the_services_that_use_them_only() -> None:
    passing = [one for one in statements(provisioner_policy(STACK)).values() if one["Action"] == ["iam:PassRole"]]
    assert len(passing) == 3
    assert all("iam:PassedToService" in one["Condition"]["StringEquals"] for one in passing)


def test_with_a_boundary_roles_are_made_and_written_with_it_only() -> None:
    found = statements(provisioner_policy(STACK, BOUNDARY))
    powerful = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}
    assert set(found["BoundedRoles"]["Action"]) == powerful
    assert found["BoundedRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    others = {action for sid, one in found.items() if sid != "BoundedRoles" for action in one["Action"]}
    assert not others & {*powerful, "iam:DeleteRolePermissionsBoundary"}


def test_tags_are_put_on_foreign_things_by_who_may_adopt_only() -> None:
    assert "Adopt" not in statements(provisioner_policy(STACK))
    adopted = statements(provisioner_policy(STACK, adopt=True))["Adopt"]
    assert adopted["Condition"]["ForAllValues:StringEquals"] == {"aws:TagKeys": ["opengris:stack"]}


def test_another_stack_of_the_account_is_out_of_reach() -> None:
    """But for EC2's ids, which AWS chooses, and which have a condition on our tag."""
    named = [one for one in statements(provisioner_policy(STACK)).values() if "Condition" not in one]
    places = {place for one in named for place in one["Resource"]}
    assert not [place for place in places if "team-*" in place or "team*" in place]


@pytest.mark.parametrize("prefix", ["team", "team-x", "team-compute", "team-spot", "team-spot-team"])
def test_an_instance_joins_the_clusters_of_its_own_stack_only(prefix: str) -> None:
    """Not those of a stack whose prefix begins with this one's."""
    uuid = "bc1bc795-588e-3c9a-83c1-a7175e30478f"
    for environment in (f"{prefix}-compute", f"{prefix}-spot"):
        cluster = STACK.arn("ecs", f"cluster/AWSBatch-{environment}-{uuid}")
        joins = allows(instance_policy(STACK), Need.of("ecs:RegisterContainerInstance", cluster))
        assert joins == (prefix == "team")


def test_the_agent_of_an_instance_may_do_what_awss_own_policy_for_it_allows_but_pull_and_log() -> None:
    """The job's execution role does these two."""
    managed = managed_actions("AmazonEC2ContainerServiceforEC2Role")
    submitted = {action for action in actions(instance_policy(STACK)) if action.startswith("ecs:Submit")}
    others = {action for action in managed if not action.startswith(("ecr:", "logs:")) and action != "ecs:Submit*"}
    assert len(submitted) == 3
    assert actions(instance_policy(STACK)) - submitted == others


def test_a_jobs_execution_role_may_do_what_awss_own_policy_for_it_allows() -> None:
    assert actions(execution_policy(STACK, None)) == managed_actions("AmazonECSTaskExecutionRolePolicy")


OF_WHO = [one for one in Principal if one is not Principal.KMS_KEY]
"""The linter knows policies of who acts only, and not of what is acted on."""


@pytest.mark.parametrize("principal", OF_WHO)
def test_a_linter_of_policies_finds_nothing_but_what_is_expected(principal: Principal) -> None:
    for stack in (STACK, CHINA):
        spec = replace(SPEC, region=stack.region, kms_key=stack.arn("kms", "key/0a1b2c3d"))
        found = analyze_policy_string(json.dumps(policies(spec, stack, adopt=True)[principal]))
        assert {finding.issue for finding in found.findings} - EXPECTED_FINDINGS == set()


@pytest.mark.parametrize("principal", Principal)
@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_a_policy_fits_into_a_managed_one(principal: Principal, partition: str) -> None:
    """With the longest names that there are: prefix, region, boundary, key."""
    region = {"aws": "ap-southeast-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-northwest-1"}[partition]
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    prefix, boundary = "p" * 32, f"arn:{partition}:iam::123456789012:policy/{'b' * 128}"
    longest = Stack(region, prefix, "123456789012", partition, suffix)
    key = longest.arn("kms", f"key/mrk-{'0' * 32}")
    spec = ProvisionSpec(
        image=None, region=region, prefix=prefix, permissions_boundary=boundary, kms_key=key, spot=True
    )
    policy = policies(spec, longest, adopt=True)[principal]
    assert counted_characters(policy) <= MANAGED_POLICY_CHARACTERS


KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d"


@pytest.mark.parametrize(
    ("policy", "services"),
    [
        (job_policy(STACK.encrypted(KEY)), {"s3"}),
        (manager_policy(STACK.encrypted(KEY)), {"s3", "logs"}),
        (execution_policy(STACK.encrypted(KEY), None), {"logs", "ecr"}),
    ],
    ids=["job", "manager", "execution"],
)
def test_a_key_is_used_through_the_stacks_services_only(policy: Policy, services: set[str]) -> None:
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        allowed = {
            one
            for one in ("s3", "logs", "ecr", "ec2")
            if allows(policy, Need.of(action, KEY, **{"kms:ViaService": f"{one}.eu-west-1.amazonaws.com"}))
        }
        assert allowed == services
        assert not allows(policy, Need.of(action, KEY))


def test_whoever_provisions_may_look_at_the_key_and_at_no_other() -> None:
    policy = policies(replace(SPEC, kms_key=KEY), STACK)[Principal.PROVISIONER_ROLES]
    for action in ("kms:DescribeKey", "kms:GetKeyPolicy"):
        assert allows(policy, Need.of(action, KEY))
        assert not allows(policy, Need.of(action, KEY.replace("0a1b", "1b0a")))


def test_without_a_key_no_policy_speaks_of_one() -> None:
    text = json.dumps([*policies(SPEC, STACK).values()])
    assert "kms" not in text


def test_the_keys_own_policy_lets_logs_use_it_for_the_stacks_group_and_locks_nobody_out() -> None:
    found = statements(policies(replace(SPEC, kms_key=KEY), STACK)[Principal.KMS_KEY])
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:/scaler/team"
    assert found["Logs"]["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    assert found["Logs"]["Condition"] == {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}}
    assert found["Account"]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


AUTO_SCALING = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
SPOT = "arn:aws:iam::123456789012:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"


@pytest.mark.parametrize(("spot", "roles"), [(False, [AUTO_SCALING]), (True, [AUTO_SCALING, SPOT])])
def test_the_keys_own_policy_lets_the_roles_that_launch_instances_encrypt_disks(spot: bool, roles: list[str]) -> None:
    found = statements(policies(replace(SPEC, kms_key=KEY, spot=spot), STACK)[Principal.KMS_KEY])
    assert found["Disks"]["Principal"] == found["GrantDisks"]["Principal"] == {"AWS": roles}
    operations = {"Encrypt", "Decrypt", "ReEncrypt*", "GenerateDataKey*", "DescribeKey"}
    assert set(found["Disks"]["Action"]) == {f"kms:{one}" for one in operations}
    assert found["GrantDisks"]["Action"] == "kms:CreateGrant"
    assert found["GrantDisks"]["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_the_keys_own_policy_speaks_of_no_disks_on_fargate() -> None:
    found = statements(policies(replace(SPEC, kms_key=KEY, fargate=True, spot=True), STACK)[Principal.KMS_KEY])
    assert set(found) == {"Account", "Logs"}


def test_white_space_does_not_count() -> None:
    assert counted_characters({"Version": "2012-10-17", "Statement": []}) == len(
        '{"Version":"2012-10-17","Statement":[]}'
    )


def test_a_provisioners_two_policies_allow_what_the_whole_one_does() -> None:
    parts = policies(SPEC, STACK, adopt=True)
    both = statements(parts[Principal.PROVISIONER]) | statements(parts[Principal.PROVISIONER_ROLES])
    assert both == statements(provisioner_policy(STACK, adopt=True))


def test_the_policy_of_the_roles_is_the_one_place_with_changes_of_iam() -> None:
    harmless = {"iam:ListRoles"}
    assert not [
        action
        for action in actions(policies(SPEC, STACK, adopt=True)[Principal.PROVISIONER])
        if action.startswith("iam:") and action not in harmless
    ]


def managed_actions(name: str) -> set[str]:
    listed = json.loads(aws_managed_policies_data)[name]["Document"]["Statement"]
    return {
        action for one in listed for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
