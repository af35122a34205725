"""Resources of Terraform's AWS provider, made of CloudFormation's types and properties. Pure.

What is one resource there is several here: a bucket's settings, a role's policy, a repository's lifecycle.
https://registry.terraform.io/providers/hashicorp/aws/latest/docs
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from provisioner.clients import Document
from provisioner.export.intrinsics import uncapitalized
from provisioner.policies import as_json
from provisioner.stack.naming import from_tag_list

TerraformResource = tuple[str, Document]
"""Type and arguments of a resource."""

MADE_IF_ASKED_FOR: Final = {"count": "${var.create_repository ? 1 : 0}"}


def terraform_resources(kind: str, name: str, properties: Document) -> Sequence[TerraformResource]:
    """Resources for one of CloudFormation's, all by the same `name`; its properties hold Terraform's expressions."""
    if kind == "AWS::IAM::Role":
        return [("aws_iam_role", _role(properties)), ("aws_iam_role_policy", _role_policy(name, properties))]
    return _BY_TYPE[kind](properties)


def _bucket(given: Document) -> Sequence[TerraformResource]:
    bucket = {"bucket": "${aws_s3_bucket.bucket.bucket}"}
    (encryption,) = given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    return [
        ("aws_s3_bucket", {"bucket": given["BucketName"], "tags": _tags(given)}),
        (
            "aws_s3_bucket_ownership_controls",
            {**bucket, "rule": {"object_ownership": given["OwnershipControls"]["Rules"][0]["ObjectOwnership"]}},
        ),
        ("aws_s3_bucket_public_access_block", {**bucket, **_closed(given["PublicAccessBlockConfiguration"])}),
        (
            "aws_s3_bucket_server_side_encryption_configuration",
            {**bucket, "rule": _encryption(encryption)},
        ),
        (
            "aws_s3_bucket_lifecycle_configuration",
            {**bucket, "rule": [_rule(one) for one in given["LifecycleConfiguration"]["Rules"]]},
        ),
    ]


def _encryption(rule: Document) -> Document:
    default, names = (
        rule["ServerSideEncryptionByDefault"],
        {"SSEAlgorithm": "sse_algorithm", "KMSMasterKeyID": "kms_master_key_id"},
    )
    given = {name: default[key] for key, name in names.items() if key in default}
    bucket_key = {"bucket_key_enabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else {}
    return {"apply_server_side_encryption_by_default": given, **bucket_key}


def _closed(block: Document) -> Document:
    names = {
        "BlockPublicAcls": "block_public_acls",
        "IgnorePublicAcls": "ignore_public_acls",
        "BlockPublicPolicy": "block_public_policy",
        "RestrictPublicBuckets": "restrict_public_buckets",
    }
    return {names[key]: value for key, value in block.items()}


def _rule(rule: Document) -> Document:
    days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    return {
        "id": rule["Id"],
        "status": rule["Status"],
        "filter": {"prefix": rule["Prefix"]},
        "expiration": {"days": rule["ExpirationInDays"]},
        "abort_incomplete_multipart_upload": {"days_after_initiation": days},
    }


def _bucket_policy(given: Document) -> Sequence[TerraformResource]:
    after = ["aws_s3_bucket_public_access_block.bucket"]  # S3 takes one change of a bucket at a time
    policy = as_json(given["PolicyDocument"])
    return [("aws_s3_bucket_policy", {"bucket": given["Bucket"], "policy": policy, "depends_on": after})]


def _log_group(given: Document) -> Sequence[TerraformResource]:
    """Left in place when the stack is destroyed; of a bucket S3 deletes none that holds anything."""
    arguments = {
        "name": given["LogGroupName"],
        "retention_in_days": given["RetentionInDays"],
        "skip_destroy": True,
        **({"kms_key_id": given["KmsKeyId"]} if "KmsKeyId" in given else {}),
        "tags": _tags(given),
    }
    return [("aws_cloudwatch_log_group", arguments)]


def _repository(given: Document) -> Sequence[TerraformResource]:
    repository = {
        **MADE_IF_ASKED_FOR,
        "name": given["RepositoryName"],
        "image_tag_mutability": given["ImageTagMutability"],
        "image_scanning_configuration": {"scan_on_push": given["ImageScanningConfiguration"]["ScanOnPush"]},
        "force_delete": given["EmptyOnDelete"],
        **(_repository_key(given["EncryptionConfiguration"]) if "EncryptionConfiguration" in given else {}),
        "tags": _tags(given),
    }
    lifecycle = {
        **MADE_IF_ASKED_FOR,
        "repository": "${aws_ecr_repository.repository[0].name}",
        "policy": given["LifecyclePolicy"]["LifecyclePolicyText"],
    }
    return [("aws_ecr_repository", repository), ("aws_ecr_lifecycle_policy", lifecycle)]


def _repository_key(given: Document) -> Document:
    return {"encryption_configuration": {"encryption_type": given["EncryptionType"], "kms_key": given["KmsKey"]}}


def _role(given: Document) -> Document:
    boundary = given.get("PermissionsBoundary")
    return {
        "name": given["RoleName"],
        "assume_role_policy": as_json(given["AssumeRolePolicyDocument"]),
        **({"permissions_boundary": boundary} if boundary else {}),
        "tags": _tags(given),
    }


def _role_policy(name: str, given: Document) -> Document:
    (inline,) = given["Policies"]
    policy = as_json(inline["PolicyDocument"])
    return {"name": inline["PolicyName"], "role": f"${{aws_iam_role.{name}.name}}", "policy": policy}


def _instance_profile(given: Document) -> Sequence[TerraformResource]:
    (role,) = given["Roles"]
    return [("aws_iam_instance_profile", {"name": given["InstanceProfileName"], "role": role, "tags": _tags(given)})]


def _security_group(given: Document) -> Sequence[TerraformResource]:
    """With the way out that AWS gives every group, and Terraform takes away."""
    everywhere = {
        "description": "",
        "from_port": 0,
        "to_port": 0,
        "protocol": "-1",
        "cidr_blocks": ["0.0.0.0/0"],
        "ipv6_cidr_blocks": [],
        "prefix_list_ids": [],
        "security_groups": [],
        "self": False,
    }
    arguments = {
        "name": given["GroupName"],
        "description": given["GroupDescription"],
        "vpc_id": given["VpcId"],
        "egress": [everywhere],
        "tags": _tags(given),
    }
    return [("aws_security_group", arguments)]


def _launch_template(given: Document) -> Sequence[TerraformResource]:
    data = given["LaunchTemplateData"]
    (own,) = given["TagSpecifications"]
    arguments = {
        "name": given["LaunchTemplateName"],
        "update_default_version": True,
        "metadata_options": {
            "http_tokens": data["MetadataOptions"]["HttpTokens"],
            "http_put_response_hop_limit": data["MetadataOptions"]["HttpPutResponseHopLimit"],
        },
        "block_device_mappings": [_disk(one) for one in data["BlockDeviceMappings"]],
        "tag_specifications": [
            {"resource_type": one["ResourceType"], "tags": from_tag_list(one["Tags"])}
            for one in data["TagSpecifications"]
        ],
        "user_data": data["UserData"],
        "tags": from_tag_list(own["Tags"]),
    }
    return [("aws_launch_template", arguments)]


def _disk(mapping: Document) -> Document:
    disk = mapping["Ebs"]
    return {
        "device_name": mapping["DeviceName"],
        "ebs": {
            "encrypted": disk["Encrypted"],
            **({"kms_key_id": disk["KmsKeyId"]} if "KmsKeyId" in disk else {}),
            "volume_type": disk["VolumeType"],
            "volume_size": disk["VolumeSize"],
            "delete_on_termination": disk["DeleteOnTermination"],
        },
    }


def _compute_environment(given: Document) -> Sequence[TerraformResource]:
    arguments = {
        "name": given["ComputeEnvironmentName"],
        "type": given["Type"],
        "state": given["State"],
        "compute_resources": _compute_resources(given["ComputeResources"]),
        **(_update_policy(given["UpdatePolicy"]) if "UpdatePolicy" in given else {}),
        "tags": given["Tags"],
    }
    if "InstanceRole" in given["ComputeResources"]:
        # an environment whose role loses its policy can't be deleted any more
        arguments["depends_on"] = ["aws_iam_role_policy.instance_role"]
    return [("aws_batch_compute_environment", arguments)]


def _update_policy(given: Document) -> Document:
    policy = {
        "terminate_jobs_on_update": given["TerminateJobsOnUpdate"],
        "job_execution_timeout_minutes": given["JobExecutionTimeoutMinutes"],
    }
    return {"update_policy": policy}


def _compute_resources(given: Document) -> Document:
    return {
        "type": given["Type"],
        "max_vcpus": given["MaxvCpus"],
        "subnets": given["Subnets"],
        "security_group_ids": given["SecurityGroupIds"],
        **(_instances(given) if "LaunchTemplate" in given else {}),
    }


def _instances(given: Document) -> Document:
    """Arguments that an environment on Fargate has none of."""
    template = given["LaunchTemplate"]
    names = {"ImageType": "image_type", "ImageIdOverride": "image_id_override"}
    return {
        "allocation_strategy": given["AllocationStrategy"],
        "min_vcpus": given["MinvCpus"],
        "instance_type": given["InstanceTypes"],
        "instance_role": given["InstanceRole"],
        "launch_template": {"launch_template_name": template["LaunchTemplateName"], "version": template["Version"]},
        "ec2_configuration": [
            {name: one[key] for key, name in names.items() if key in one} for one in given["Ec2Configuration"]
        ],
        "tags": given["Tags"],
    }


def _job_queue(given: Document) -> Sequence[TerraformResource]:
    limits = [
        {
            "action": one["Action"],
            "max_time_seconds": one["MaxTimeSeconds"],
            "reason": one["Reason"],
            "state": one["State"],
        }
        for one in given.get("JobStateTimeLimitActions", [])
    ]
    arguments = {
        "name": given["JobQueueName"],
        "priority": given["Priority"],
        "state": given["State"],
        "compute_environment_order": [
            {"order": one["Order"], "compute_environment": one["ComputeEnvironment"]}
            for one in given["ComputeEnvironmentOrder"]
        ],
        **({"job_state_time_limit_action": limits} if limits else {}),
        "tags": given["Tags"],
    }
    return [("aws_batch_job_queue", arguments)]


def _job_definition(given: Document) -> Sequence[TerraformResource]:
    container = uncapitalized(given["ContainerProperties"])
    assert isinstance(container, dict)
    rules = {"OnExitCode": "on_exit_code", "OnReason": "on_reason", "OnStatusReason": "on_status_reason"}
    retries = given["RetryStrategy"]
    arguments = {
        "name": given["JobDefinitionName"],
        "type": given["Type"],
        "platform_capabilities": given["PlatformCapabilities"],
        "parameters": given["Parameters"],
        "container_properties": as_json(container),
        "retry_strategy": {
            "attempts": retries["Attempts"],
            "evaluate_on_exit": [
                {"action": one["Action"], **{name: one[key] for key, name in rules.items() if key in one}}
                for one in retries["EvaluateOnExit"]
            ],
        },
        "timeout": {"attempt_duration_seconds": given["Timeout"]["AttemptDurationSeconds"]},
        "propagate_tags": given["PropagateTags"],
        "tags": given["Tags"],
    }
    return [("aws_batch_job_definition", arguments)]


def _tags(given: Document) -> Document:
    return from_tag_list(given.get("Tags", []))


_BY_TYPE: Final[dict[str, Callable[[Document], Sequence[TerraformResource]]]] = {
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::ECR::Repository": _repository,
    "AWS::IAM::InstanceProfile": _instance_profile,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::EC2::LaunchTemplate": _launch_template,
    "AWS::Batch::ComputeEnvironment": _compute_environment,
    "AWS::Batch::JobQueue": _job_queue,
    "AWS::Batch::JobDefinition": _job_definition,
}
