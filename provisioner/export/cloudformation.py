"""CloudFormation template of what `provision` makes, for any account, region and partition. Pure.

It is made of the same `desired` documents as a plan, in an account where nothing lives yet. The network, the image and
the permissions boundary are parameters.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Final

from provisioner.clients import Document
from provisioner.export.empty_account import VPC, EmptyAccount, without_network
from provisioner.export.exceptions import with_exceptions
from provisioner.export.image_source import (
    CREATES_REPOSITORY,
    KMS_KEY,
    conditions,
    pull_by_parameter,
    pulled_repository,
    source_parameters,
)
from provisioner.export.intrinsics import SUBNETS, References, anywhere, get_att, properties_referring, ref
from provisioner.kinds import ResourceKind
from provisioner.plan.catalog import desired_resources
from provisioner.resources import job_definition, security_group
from provisioner.resources.resource import Resource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

BOUNDARY: Final = "PermissionsBoundary"
IMAGE: Final = "Image"
VPC_ID: Final = "VpcId"
KEY_DESCRIPTION: Final = (
    "ARN of the KMS key of bucket, log group, images and disks; its policy must let CloudWatch Logs and the "
    "service-linked roles that launch instances use it"
)

KEPT: Final = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
"""Of data: a stack that is deleted leaves it, a first deployment that fails doesn't.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html"""


def template(spec: ProvisionSpec) -> Document:
    """Template of a spec: the same for the same spec, whoever asks and wherever."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"AWS Batch resources of the scaler-batch stack {spec.prefix}",
        "Parameters": _parameters(spec),
        "Conditions": conditions(spec, anywhere(spec.prefix)),
        "Resources": with_exceptions(dict(_resources(spec))),
        "Outputs": _outputs(anywhere(spec.prefix)),
    }


def _resources(spec: ProvisionSpec) -> Iterator[tuple[str, Document]]:
    stack, account, portable = anywhere(spec.prefix), EmptyAccount(), replace(without_network(spec), image=None)
    references = {**_parameter_references(spec), **_resource_references(stack), **pulled_repository(stack)}
    for resource in desired_resources(spec, stack, VPC):
        for kind, properties in resource.cloudformation(resource.desired(portable, account)):
            referring = pull_by_parameter(resource, properties_referring(properties, references))
            yield (
                logical_id(kind, resource.name, stack),
                {"Type": kind, **_attributes(resource), "Properties": referring},
            )


def _attributes(resource: Resource) -> Document:
    if resource.kind is ResourceKind.REPOSITORY:
        return {"Condition": CREATES_REPOSITORY}
    return KEPT if resource.kind.is_data else {}


def logical_id(kind: str, name: str, stack: Stack) -> str:
    """Logical id in the template: the type's last word, with a word in front where there are several of the type."""
    several = {
        ("AWS::IAM::Role", stack.job_role): "Job",
        ("AWS::IAM::Role", stack.execution_role): "Execution",
        ("AWS::IAM::Role", stack.instance_role): "Instance",
        ("AWS::Batch::ComputeEnvironment", stack.spot_environment): "Spot",
    }
    return several.get((kind, name), "") + kind.rpartition("::")[2]


def _resource_references(stack: Stack) -> References:
    def role(name: str) -> str:
        return stack.iam_arn("role", name)

    def environment(name: str) -> str:
        return stack.arn("batch", f"compute-environment/{name}")

    return {
        stack.bucket: ref("Bucket"),
        stack.bucket_arn: get_att("Bucket", "Arn"),
        stack.log_group: ref("LogGroup"),
        role(stack.job_role): get_att("JobRole", "Arn"),
        role(stack.execution_role): get_att("ExecutionRole", "Arn"),
        stack.instance_role: ref("InstanceRole"),
        stack.iam_arn("instance-profile", stack.instance_role): get_att("InstanceProfile", "Arn"),
        security_group.ID: get_att("SecurityGroup", "GroupId"),
        environment(stack.spot_environment): ref("SpotComputeEnvironment"),
        environment(stack.compute_environment): ref("ComputeEnvironment"),
    }


def _parameter_references(spec: ProvisionSpec) -> References:
    given: dict[Hashable, Document] = {job_definition.IMAGE: ref(IMAGE), VPC: ref(VPC_ID)}
    chosen = {spec.permissions_boundary: ref(BOUNDARY), spec.kms_key: ref(KMS_KEY)}
    return {**given, **{arn: one for arn, one in chosen.items() if arn is not None}}


def _parameters(spec: ProvisionSpec) -> Document:
    parameters = {
        IMAGE: _parameter("String", "Container image with the runner inside, by digest", spec.image),
        **source_parameters(spec, anywhere(spec.prefix)),
        VPC_ID: _parameter("AWS::EC2::VPC::Id", "Where instances are placed", spec.vpc_id),
        SUBNETS: _parameter(
            "List<AWS::EC2::Subnet::Id>",
            "Subnets of it with a way to Amazon S3, ECR, ECS and CloudWatch Logs",
            ",".join(spec.subnet_ids),
        ),
    }
    if spec.permissions_boundary is not None:
        what = "ARN of the policy that bounds the roles"
        parameters[BOUNDARY] = _parameter("String", what, spec.permissions_boundary)
    if spec.kms_key is not None:
        parameters[KMS_KEY] = _parameter("String", KEY_DESCRIPTION, spec.kms_key)
    return parameters


def _parameter(kind: str, description: str, default: str | None) -> Document:
    return {"Type": kind, "Description": description, **({"Default": default} if default else {})}


def _outputs(stack: Stack) -> Document:
    """What `scaler-batch run` needs, in the order of the env file; references to Batch's resources are ARNs."""
    return {
        "AwsRegion": {"Description": "SCALER_AWS_REGION", "Value": ref("AWS::Region")},
        "S3Bucket": {"Description": "SCALER_S3_BUCKET", "Value": ref("Bucket")},
        "JobQueue": {"Description": "SCALER_JOB_QUEUE", "Value": stack.job_queue},
        "JobDefinition": {"Description": "SCALER_JOB_DEFINITION", "Value": stack.job_definition},
    }
