"""The rest of the account as strict as AWS: what Batch finds in it, and what it does not let go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from provisioner.local.aws import LocalAWS
from tests.support.local_aws.account import definition_request, environment_request, queue_request
from tests.support.local_aws.prerequisites import PROFILE, compute_resources, make_role
from tests.support.local_aws.refused import refused

TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::kept", "arn:aws:s3:::kept/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
SECRET = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::kept/secret"}
READ = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {},
    "layers": [],
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS() as aws:
        yield aws


@pytest.fixture(scope="module")
def compute(aws: LocalAWS) -> dict[str, Any]:
    """With a launch template of one version beside it."""
    data = {"EbsOptimized": True}
    aws.client("ec2").create_launch_template(LaunchTemplateName="versioned", LaunchTemplateData=data)
    return compute_resources(aws)


def environment_of(aws: LocalAWS, name: str) -> dict[str, Any]:
    answer = aws.client("batch").describe_compute_environments(computeEnvironments=[name])
    found: dict[str, Any] = answer["computeEnvironments"][0]
    return found


def test_an_environment_stands_on_what_the_account_has(aws: LocalAWS, compute: dict[str, Any]) -> None:
    template = aws.client("ec2").describe_launch_templates(LaunchTemplateNames=["versioned"])["LaunchTemplates"][0]
    named = {"launchTemplateId": template["LaunchTemplateId"], "version": "$Latest"}
    profile = aws.client("iam").get_instance_profile(InstanceProfileName=PROFILE)["InstanceProfile"]["Arn"]
    request = environment_request("stands", 8, {**compute, "launchTemplate": named, "instanceRole": profile})
    aws.client("batch").create_compute_environment(**request)
    assert environment_of(aws, "stands")["status"] == "VALID"
    assert environment_of(aws, "stands")["computeResources"]["launchTemplate"] == {**named, "overrides": []}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subnets": ["subnet-0123"]}, "subnet-0123"),
        ({"securityGroupIds": ["sg-0123"]}, "sg-0123"),
        ({"launchTemplate": {"launchTemplateName": "none"}}, "none not found"),
        ({"launchTemplate": {"launchTemplateName": "versioned", "version": "2"}}, "versioned not found"),
        ({"instanceTypes": ["m99"]}, "Instance type can only be one of"),
        ({"instanceTypes": ["c7i.large", "c7g.large"]}, "one architecture"),
    ],
)
def test_it_is_refused_for_what_the_account_lacks(
    aws: LocalAWS, compute: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    request = environment_request("lacking", 8, {**compute, **changes})
    assert said in refused(lambda: aws.client("batch").create_compute_environment(**request))


def test_groups_of_another_vpc_do_not_fit(aws: LocalAWS, compute: dict[str, Any]) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    request = environment_request("astray", 8, {**compute, "securityGroupIds": [group]})
    assert "one VPC" in refused(lambda: aws.client("batch").create_compute_environment(**request))


def test_without_its_instance_profile_it_is_invalid(aws: LocalAWS, compute: dict[str, Any]) -> None:
    aws.client("batch").create_compute_environment(
        **environment_request("weak", 8, {**compute, "instanceRole": "nobody"})
    )
    assert environment_of(aws, "weak")["statusReason"] == "CLIENT_ERROR - Invalid IamInstanceProfile: nobody"


def test_batchs_own_role_is_made_with_the_first_environment(aws: LocalAWS, compute: dict[str, Any]) -> None:
    aws.client("batch").create_compute_environment(**environment_request("linked", 8, compute))
    roles = aws.client("iam").list_roles(PathPrefix="/aws-service-role/batch.amazonaws.com/")["Roles"]
    assert [role["Arn"] for role in roles] == [environment_of(aws, "linked")["serviceRole"]]
    assert roles[0]["RoleName"] == "AWSServiceRoleForBatch"
    again = partial(aws.client("iam").create_service_linked_role, AWSServiceName="batch.amazonaws.com")
    assert "has been taken" in refused(again, "InvalidInput")


def test_roles_of_a_definition_are_looked_up(aws: LocalAWS) -> None:
    request = definition_request("with-role", ["work"])
    request["containerProperties"]["jobRoleArn"] = make_role(aws, "job", "ecs-tasks.amazonaws.com")
    aws.client("batch").register_job_definition(**request)
    request["containerProperties"]["jobRoleArn"] += "-not"
    assert "cannot be assumed" in refused(lambda: aws.client("batch").register_job_definition(**request))


def test_tags_of_batch_come_and_go_by_arn(aws: LocalAWS, compute: dict[str, Any]) -> None:
    batch = aws.client("batch")
    environment = batch.create_compute_environment(**environment_request("tagged", 8, compute))
    queue = batch.create_job_queue(**queue_request("tagged", "tagged"))
    definition = batch.register_job_definition(**definition_request("tagged", ["work"]))
    for arn in (environment["computeEnvironmentArn"], queue["jobQueueArn"], definition["jobDefinitionArn"]):
        batch.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        batch.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}


def test_a_security_group_stays_while_an_environment_has_it(aws: LocalAWS, compute: dict[str, Any]) -> None:
    ec2, batch = aws.client("ec2"), aws.client("batch")
    vpc = ec2.describe_subnets(SubnetIds=compute["subnets"][:1])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="held", Description="held", VpcId=vpc)["GroupId"]
    batch.create_compute_environment(**environment_request("holds", 8, {**compute, "securityGroupIds": [group]}))
    assert "dependent object" in refused(lambda: ec2.delete_security_group(GroupId=group), "DependencyViolation")
    batch.update_compute_environment(computeEnvironment="holds", state="DISABLED")
    batch.delete_compute_environment(computeEnvironment="holds")
    ec2.delete_security_group(GroupId=group)


def test_roles_and_profiles_go_in_iams_order(aws: LocalAWS) -> None:
    iam = aws.client("iam")
    names = {"RoleName": "kept", "PolicyName": "inline"}
    make_role(aws, "kept", "ec2.amazonaws.com")
    iam.put_role_policy(**names, PolicyDocument=json.dumps(READ))
    iam.create_instance_profile(InstanceProfileName="kept")
    iam.add_role_to_instance_profile(InstanceProfileName="kept", RoleName="kept")
    refused(lambda: iam.delete_instance_profile(InstanceProfileName="kept"), "DeleteConflict")
    refused(lambda: iam.delete_role(RoleName="kept"), "DeleteConflict")
    iam.remove_role_from_instance_profile(InstanceProfileName="kept", RoleName="kept")
    refused(lambda: iam.delete_role(RoleName="kept"), "DeleteConflict")
    iam.delete_role_policy(**names)
    iam.delete_role(RoleName="kept")
    iam.delete_instance_profile(InstanceProfileName="kept")


def test_a_permissions_boundary_has_to_exist(aws: LocalAWS) -> None:
    iam = aws.client("iam")
    policy = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(READ))["Policy"]["Arn"]
    make_role(aws, "bounded", "ec2.amazonaws.com")
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=policy)
    missing = partial(iam.put_role_permissions_boundary, RoleName="bounded", PermissionsBoundary=f"{policy}-not")
    assert "does not exist or is not attachable" in refused(missing, "NoSuchEntity")


def test_a_repository_keeps_its_images_and_their_tags(aws: LocalAWS) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="kept", imageTagMutability="IMMUTABLE")
    image = {"repositoryName": "kept", "imageTag": "one"}
    ecr.put_image(**image, imageManifest=json.dumps(MANIFEST))
    other = json.dumps({**MANIFEST, "layers": [{}]})
    refused(lambda: ecr.put_image(**image, imageManifest=other), "ImageAlreadyExistsException")
    refused(lambda: ecr.delete_repository(repositoryName="kept"), "RepositoryNotEmptyException")
    ecr.delete_repository(repositoryName="kept", force=True)


def test_a_bucket_with_objects_or_versions_stays(aws: LocalAWS) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="full")
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="full", Key="k", Body=b"1")
    refused(lambda: s3.delete_bucket(Bucket="full"), "BucketNotEmpty")
    s3.delete_object(Bucket="full", Key="k")
    refused(lambda: s3.delete_bucket(Bucket="full"), "BucketNotEmpty")
    for kind in ("Versions", "DeleteMarkers"):
        for one in s3.list_object_versions(Bucket="full").get(kind, ()):
            s3.delete_object(Bucket="full", Key="k", VersionId=one["VersionId"])
    s3.delete_bucket(Bucket="full")


def test_a_policy_for_tls_is_kept_and_does_not_stand_in_the_way(aws: LocalAWS) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    policy = {"Version": "2012-10-17", "Statement": [TLS_ONLY, SECRET]}
    s3.put_bucket_policy(Bucket="kept", Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket="kept")["Policy"]) == policy
    for key in ("open", "secret"):
        s3.put_object(Bucket="kept", Key=key, Body=b"1")
    assert s3.get_object(Bucket="kept", Key="open")["Body"].read() == b"1"
    refused(lambda: s3.get_object(Bucket="kept", Key="secret"), "403")
    s3.delete_bucket_policy(Bucket="kept")
    assert s3.get_object(Bucket="kept", Key="secret")["Body"].read() == b"1"
    refused(lambda: s3.get_bucket_policy(Bucket="kept"), "NoSuchBucketPolicy")


@pytest.mark.parametrize("policy", ["no JSON", json.dumps({"Version": "2012-10-17", "Statement": [TLS_ONLY]})])
def test_a_policy_that_is_none_or_of_another_bucket_is_refused(aws: LocalAWS, policy: str) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="another")
    refused(lambda: s3.put_bucket_policy(Bucket="another", Policy=policy), "MalformedPolicy")
