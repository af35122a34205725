"""What a resource of ours is in CloudFormation: from its `desired` document to a type and properties. Pure.

Where the two say the same in other words, the words are here; values are `desired`'s own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from provisioner.clients import Document
from provisioner.export.intrinsics import capitalized, get_att, ref
from provisioner.resources.resource import Resource
from provisioner.resources.role import POLICY_NAME
from provisioner.resources.security_group import DESCRIPTION
from provisioner.stack.naming import as_tag_list

SUBNETS: Final = "SubnetIds"
"""The parameter, a list."""


def bucket(resource: Resource, desired: Document) -> Document:
    algorithm = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": desired["encryption"]}}
    return {
        "BucketName": resource.name,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": desired["ownership"]}]},
        "PublicAccessBlockConfiguration": desired["publicAccessBlock"],
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [algorithm]},
        "LifecycleConfiguration": {"Rules": [_lifecycle(desired["expiry"])]},
        "Tags": as_tag_list(desired["tags"]),
    }


def bucket_policy(resource: Resource, desired: Document) -> Document:
    return {"Bucket": resource.name, "PolicyDocument": {"Version": "2012-10-17", "Statement": [desired["tlsOnly"]]}}


def log_group(resource: Resource, desired: Document) -> Document:
    return {
        "LogGroupName": resource.name,
        "RetentionInDays": desired["retentionInDays"],
        "Tags": as_tag_list(desired["tags"]),
    }


def repository(resource: Resource, desired: Document) -> Document:
    return {
        "RepositoryName": resource.name,
        "ImageTagMutability": desired["imageTagMutability"],
        "ImageScanningConfiguration": {"ScanOnPush": desired["scanOnPush"]},
        "LifecyclePolicy": {"LifecyclePolicyText": json.dumps(desired["lifecyclePolicy"], sort_keys=True)},
        "Tags": as_tag_list(desired["tags"]),
    }


def role(resource: Resource, desired: Document) -> Document:
    boundary = desired["permissionsBoundary"]
    return {
        "RoleName": resource.name,
        "AssumeRolePolicyDocument": desired["trust"],
        "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": desired["policy"]}],
        **({"PermissionsBoundary": boundary} if boundary else {}),
        "Tags": as_tag_list(desired["tags"]),
    }


def instance_profile(resource: Resource, desired: Document) -> Document:
    """CloudFormation can't tag a profile."""
    return {"InstanceProfileName": resource.name, "Roles": desired["roles"]}


def security_group(resource: Resource, desired: Document) -> Document:
    return {
        "GroupName": resource.name,
        "GroupDescription": DESCRIPTION,
        "VpcId": desired["vpcId"],
        "Tags": as_tag_list(desired["tags"]),
    }


def launch_template(resource: Resource, desired: Document) -> Document:
    return {
        "LaunchTemplateName": resource.name,
        "LaunchTemplateData": desired["data"],
        "TagSpecifications": [{"ResourceType": "launch-template", "Tags": as_tag_list(desired["tags"])}],
    }


def compute_environment(resource: Resource, desired: Document) -> Document:
    """Batch takes its service-linked role when none is named; a name of our own forbids replacement."""
    resources = {
        **desired["computeResources"],
        "subnets": ref(SUBNETS),
        "launchTemplate": {
            "launchTemplateId": ref("LaunchTemplate"),
            "version": get_att("LaunchTemplate", "LatestVersionNumber"),
        },
    }
    return {
        "ComputeEnvironmentName": resource.name,
        "Type": "MANAGED",
        "State": desired["state"],
        "ReplaceComputeEnvironment": False,
        "ComputeResources": capitalized(resources),
        "Tags": desired["tags"],
    }


def job_queue(resource: Resource, desired: Document) -> Document:
    ordered = enumerate(desired["computeEnvironmentOrder"], start=1)
    limits = capitalized(desired["jobStateTimeLimitActions"])
    return {
        "JobQueueName": resource.name,
        "Priority": 1,
        "State": desired["state"],
        "ComputeEnvironmentOrder": [{"Order": order, "ComputeEnvironment": arn} for order, arn in ordered],
        **({"JobStateTimeLimitActions": limits} if limits else {}),
        "Tags": desired["tags"],
    }


def job_definition(resource: Resource, desired: Document) -> Document:
    document = capitalized(desired)
    assert isinstance(document, dict)
    return {"JobDefinitionName": resource.name, **document}


def _lifecycle(rule: Document) -> Document:
    """CloudFormation flattens what S3 nests."""
    return {
        "Id": rule["ID"],
        "Status": rule["Status"],
        "Prefix": rule["Filter"]["Prefix"],
        "ExpirationInDays": rule["Expiration"]["Days"],
        "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
    }


Properties = Callable[[Resource, Document], Document]

BY_KIND: Final[dict[str, tuple[tuple[str, Properties], ...]]] = {
    "S3 bucket": (("AWS::S3::Bucket", bucket), ("AWS::S3::BucketPolicy", bucket_policy)),
    "log group": (("AWS::Logs::LogGroup", log_group),),
    "ECR repository": (("AWS::ECR::Repository", repository),),
    "IAM role": (("AWS::IAM::Role", role),),
    "instance profile": (("AWS::IAM::InstanceProfile", instance_profile),),
    "service-linked role": (),  # the account's own, which Batch makes when it is first needed
    "security group": (("AWS::EC2::SecurityGroup", security_group),),
    "launch template": (("AWS::EC2::LaunchTemplate", launch_template),),
    "compute environment": (("AWS::Batch::ComputeEnvironment", compute_environment),),
    "job queue": (("AWS::Batch::JobQueue", job_queue),),
    "job definition": (("AWS::Batch::JobDefinition", job_definition),),
}
"""A kind's CloudFormation types."""
