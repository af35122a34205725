"""Terraform as far as our configuration uses it: expressions are worked out, and resources made as the provider does.

Each argument has to be known here, by the name that hashicorp/aws 6 gives it; one that isn't fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.clients import Clients
from provisioner.resources.service_role import SERVICE
from provisioner.stack.naming import as_tag_list

Properties = dict[str, Any]

EXPRESSION = re.compile(r"\$\{([^{}]*)\}")
ADDRESS = re.compile(r"(aws_\w+)\.(\w+)(?:\[0\])?\.(\w+)")


class Terraform:
    """`apply` of one configuration, in the order in which its resources refer to each other."""

    def __init__(self, configuration: Properties, clients: Clients, **variables: object) -> None:
        self._configuration = configuration
        self._clients = clients
        given = {name: one.get("default") for name, one in configuration["variable"].items()}
        self._values: dict[str, Any] = {f"var.{name}": one for name, one in {**given, **variables}.items()}
        self._values |= {
            "data.aws_caller_identity.current.account_id": clients.account,
            "data.aws_partition.current.partition": clients.partition,
            "data.aws_partition.current.dns_suffix": clients.dns_suffix,
            "data.aws_region.current.region": clients.region,
        }

    def apply(self) -> dict[str, str]:
        """Outputs."""
        resources = self._configuration["resource"]
        for kind, named in resources.items():
            for name in named:
                self._made(kind, name)
        return {name: self._resolved(one["value"]) for name, one in self._configuration["output"].items()}

    def _made(self, kind: str, name: str) -> Mapping[str, Any]:
        key = f"{kind}.{name}"
        if key not in self._values:
            arguments = dict(self._configuration["resource"][kind][name])
            for before in arguments.pop("depends_on", []):
                self._made(*before.split("."))
            wanted = self._resolved(arguments.pop("count", "1"))
            self._values[key] = {}
            if int(wanted):
                taking = Arguments(self._resolved(arguments))
                self._values[key] = MAKERS[kind](taking, self._clients)
                taking.assert_all_are_known(key)
        made: Mapping[str, Any] = self._values[key]
        return made

    def _resolved(self, value: Any) -> Any:
        match value:
            case str():
                whole = EXPRESSION.fullmatch(value)
                return self._value(whole[1]) if whole else EXPRESSION.sub(lambda one: str(self._value(one[1])), value)
            case dict():
                return {key: self._resolved(one) for key, one in value.items()}
            case list():
                return [self._resolved(one) for one in value]
        return value

    def _value(self, expression: str) -> Any:
        """Of a reference, of a choice between two numbers, or of lookup(map, key, default)."""
        if " ? " in expression:
            condition, _, numbers = expression.partition(" ? ")
            yes, no = numbers.split(" : ")
            return yes if self._value(condition) else no
        if expression.startswith("lookup("):
            found, key, other = (part.strip() for part in expression[len("lookup(") : -1].split(","))
            value = self._value(found).get(self._value(key))
            return self._value(other) if value is None else value
        if expression.startswith("local."):
            return self._resolved(self._configuration["locals"][expression.removeprefix("local.")])
        if (address := ADDRESS.fullmatch(expression)) is not None:
            return self._made(address[1], address[2])[address[3]]
        return self._values[expression]


class Arguments:
    """Arguments of a resource, each of which is asked for once."""

    def __init__(self, given: Properties) -> None:
        self._left = dict(given)

    def __call__(self, name: str) -> Any:
        return self._left.pop(name)

    def block(self, name: str) -> Arguments:
        """Of a block that is there once: one object, or a list of one."""
        given = self._left.pop(name)
        if isinstance(given, list):
            (given,) = given
        return Arguments(given)

    def renamed(self, **names: str) -> Properties:
        """By the API's names, as far as they are given; then all must be known."""
        found = {new: self._left.pop(old) for old, new in names.items() if old in self._left}
        self.assert_all_are_known("block")
        return found

    def has(self, name: str) -> bool:
        return name in self._left

    def blocks(self, name: str) -> list[Arguments]:
        """Of a block that may be there several times, or not at all."""
        return [Arguments(one) for one in self._left.pop(name, [])]

    def assert_all_are_known(self, where: str) -> None:
        assert not self._left, f"{where}: {self._left}"


def _bucket(given: Arguments, clients: Clients) -> Properties:
    name = given("bucket")
    clients.call("s3", "create_bucket", {"Bucket": name})
    clients.call("s3", "put_bucket_tagging", {"Bucket": name, "Tagging": {"TagSet": as_tag_list(given("tags"))}})
    return {"bucket": name, "arn": f"arn:aws:s3:::{name}"}


def _ownership(given: Arguments, clients: Clients) -> Properties:
    rules = {"Rules": [given.block("rule").renamed(object_ownership="ObjectOwnership")]}
    parameters = {"Bucket": given("bucket"), "OwnershipControls": rules}
    return clients.call("s3", "put_bucket_ownership_controls", parameters)


def _public_access(given: Arguments, clients: Clients) -> Properties:
    bucket = given("bucket")
    block = given.renamed(
        block_public_acls="BlockPublicAcls",
        ignore_public_acls="IgnorePublicAcls",
        block_public_policy="BlockPublicPolicy",
        restrict_public_buckets="RestrictPublicBuckets",
    )
    return clients.call("s3", "put_public_access_block", {"Bucket": bucket, "PublicAccessBlockConfiguration": block})


def _encryption(given: Arguments, clients: Clients) -> Properties:
    block = given.block("rule")
    default = block.block("apply_server_side_encryption_by_default")
    rule = default.renamed(sse_algorithm="SSEAlgorithm", kms_master_key_id="KMSMasterKeyID")
    more = block.renamed(bucket_key_enabled="BucketKeyEnabled")
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": rule, **more}]}
    parameters = {"Bucket": given("bucket"), "ServerSideEncryptionConfiguration": rules}
    return clients.call("s3", "put_bucket_encryption", parameters)


def _lifecycle(given: Arguments, clients: Clients) -> Properties:
    rule, bucket = given.block("rule"), given("bucket")
    uploads = rule.block("abort_incomplete_multipart_upload")
    made = {
        "ID": rule("id"),
        "Status": rule("status"),
        "Filter": rule.block("filter").renamed(prefix="Prefix"),
        "Expiration": rule.block("expiration").renamed(days="Days"),
        "AbortIncompleteMultipartUpload": uploads.renamed(days_after_initiation="DaysAfterInitiation"),
    }
    rule.assert_all_are_known("rule")
    parameters = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [made]}}
    return clients.call("s3", "put_bucket_lifecycle_configuration", parameters)


def _bucket_policy(given: Arguments, clients: Clients) -> Properties:
    return clients.call("s3", "put_bucket_policy", given.renamed(bucket="Bucket", policy="Policy"))


def _log_group(given: Arguments, clients: Clients) -> Properties:
    name, days = given("name"), given("retention_in_days")
    assert given("skip_destroy") is True
    tags = given("tags")
    clients.call(
        "logs", "create_log_group", {"logGroupName": name, "tags": tags, **given.renamed(kms_key_id="kmsKeyId")}
    )
    clients.call("logs", "put_retention_policy", {"logGroupName": name, "retentionInDays": days})
    return {"name": name}


def _repository(given: Arguments, clients: Clients) -> Properties:
    assert given("force_delete") is True
    scan = given.block("image_scanning_configuration").renamed(scan_on_push="scanOnPush")
    parameters = {"imageScanningConfiguration": scan, "tags": as_tag_list(given("tags"))}
    if given.has("encryption_configuration"):
        key = given.block("encryption_configuration").renamed(encryption_type="encryptionType", kms_key="kmsKey")
        parameters["encryptionConfiguration"] = key
    named = given.renamed(name="repositoryName", image_tag_mutability="imageTagMutability")
    clients.call("ecr", "create_repository", {**parameters, **named})
    return {"name": named["repositoryName"]}


def _repository_lifecycle(given: Arguments, clients: Clients) -> Properties:
    named = given.renamed(repository="repositoryName", policy="lifecyclePolicyText")
    return clients.call("ecr", "put_lifecycle_policy", named)


def _role(given: Arguments, clients: Clients) -> Properties:
    parameters: Properties = {"Tags": as_tag_list(given("tags"))}
    parameters |= given.renamed(
        name="RoleName", assume_role_policy="AssumeRolePolicyDocument", permissions_boundary="PermissionsBoundary"
    )
    role = clients.call("iam", "create_role", parameters)["Role"]
    return {"name": role["RoleName"], "arn": role["Arn"]}


def _role_policy(given: Arguments, clients: Clients) -> Properties:
    return clients.call(
        "iam", "put_role_policy", given.renamed(name="PolicyName", role="RoleName", policy="PolicyDocument")
    )


def _instance_profile(given: Arguments, clients: Clients) -> Properties:
    named = {"InstanceProfileName": given("name")}
    made = clients.call("iam", "create_instance_profile", {**named, "Tags": as_tag_list(given("tags"))})
    clients.call("iam", "add_role_to_instance_profile", {**named, "RoleName": given("role")})
    return {"arn": made["InstanceProfile"]["Arn"]}


def _security_group(given: Arguments, clients: Clients) -> Properties:
    """In its JSON syntax a rule that is an argument needs all of its members."""
    (way_out,) = given("egress")
    members = "description from_port to_port protocol cidr_blocks ipv6_cidr_blocks prefix_list_ids security_groups self"
    assert sorted(way_out) == sorted(members.split())
    tags = [{"ResourceType": "security-group", "Tags": as_tag_list(given("tags"))}]
    named = given.renamed(name="GroupName", description="Description", vpc_id="VpcId")
    made = clients.call("ec2", "create_security_group", {**named, "TagSpecifications": tags})
    return {"id": made["GroupId"]}


def _launch_template(given: Arguments, clients: Clients) -> Properties:
    assert given("update_default_version") is True
    name, own = given("name"), as_tag_list(given("tags"))
    metadata = given.block("metadata_options").renamed(
        http_tokens="HttpTokens", http_put_response_hop_limit="HttpPutResponseHopLimit"
    )
    mapping, launched = given.block("block_device_mappings"), given.block("tag_specifications")
    disk = mapping.block("ebs").renamed(
        encrypted="Encrypted",
        kms_key_id="KmsKeyId",
        volume_type="VolumeType",
        volume_size="VolumeSize",
        delete_on_termination="DeleteOnTermination",
    )
    data = {
        "MetadataOptions": metadata,
        "UserData": given("user_data"),
        "BlockDeviceMappings": [{**mapping.renamed(device_name="DeviceName"), "Ebs": disk}],
        "TagSpecifications": [{"ResourceType": launched("resource_type"), "Tags": as_tag_list(launched("tags"))}],
    }
    parameters = {
        "LaunchTemplateName": name,
        "LaunchTemplateData": data,
        "TagSpecifications": [{"ResourceType": "launch-template", "Tags": own}],
    }
    made = clients.call("ec2", "create_launch_template", parameters)["LaunchTemplate"]
    return {"name": name, "latest_version": made["LatestVersionNumber"]}


def _environment(given: Arguments, clients: Clients) -> Properties:
    """The policy of updates is sent with updates."""
    on_fargate = not given.has("update_policy")
    if not on_fargate:
        policy = given.block("update_policy").renamed(
            terminate_jobs_on_update="terminateJobsOnUpdate", job_execution_timeout_minutes="jobExecutionTimeoutMinutes"
        )
        assert len(policy) == len(("terminateJobsOnUpdate", "jobExecutionTimeoutMinutes"))
    resources = given.block("compute_resources")
    instances = {} if on_fargate else _instances(resources)
    renamed = resources.renamed(
        type="type",
        allocation_strategy="allocationStrategy",
        min_vcpus="minvCpus",
        max_vcpus="maxvCpus",
        instance_type="instanceTypes",
        subnets="subnets",
        security_group_ids="securityGroupIds",
        instance_role="instanceRole",
        tags="tags",
    )
    parameters = {
        **given.renamed(name="computeEnvironmentName", type="type", state="state", tags="tags"),
        "computeResources": {**renamed, **instances},
        "serviceRole": service_role(clients),
    }
    return {"arn": clients.call("batch", "create_compute_environment", parameters)["computeEnvironmentArn"]}


def _instances(resources: Arguments) -> Properties:
    template = resources.block("launch_template").renamed(launch_template_name="launchTemplateName", version="version")
    image = resources.block("ec2_configuration").renamed(image_type="imageType", image_id_override="imageIdOverride")
    return {"launchTemplate": {**template, "version": str(template["version"])}, "ec2Configuration": [image]}


def service_role(clients: Clients) -> str:
    """ARN of Batch's own role, which Batch makes where it is missing."""
    roles = clients.listing("iam", "list_roles", "Roles", {"PathPrefix": f"/aws-service-role/{SERVICE}/"})
    made = roles[0] if roles else clients.call("iam", "create_service_linked_role", {"AWSServiceName": SERVICE})["Role"]
    return str(made["Arn"])


def _queue(given: Arguments, clients: Clients) -> Properties:
    order = given.blocks("compute_environment_order")
    ordered = [one.renamed(order="order", compute_environment="computeEnvironment") for one in order]
    limits = [
        one.renamed(action="action", max_time_seconds="maxTimeSeconds", reason="reason", state="state")
        for one in given.blocks("job_state_time_limit_action")
    ]
    parameters = {"computeEnvironmentOrder": ordered, "jobStateTimeLimitActions": limits}
    parameters |= given.renamed(name="jobQueueName", priority="priority", state="state", tags="tags")
    return clients.call("batch", "create_job_queue", parameters)


def _definition(given: Arguments, clients: Clients) -> Properties:
    retries = given.block("retry_strategy")
    rules = [
        one.renamed(action="action", on_exit_code="onExitCode", on_reason="onReason", on_status_reason="onStatusReason")
        for one in retries.blocks("evaluate_on_exit")
    ]
    parameters = {
        "containerProperties": json.loads(given("container_properties")),
        "retryStrategy": {**retries.renamed(attempts="attempts"), "evaluateOnExit": rules},
        "timeout": given.block("timeout").renamed(attempt_duration_seconds="attemptDurationSeconds"),
        **given.renamed(
            name="jobDefinitionName",
            type="type",
            platform_capabilities="platformCapabilities",
            parameters="parameters",
            propagate_tags="propagateTags",
            tags="tags",
        ),
    }
    return clients.call("batch", "register_job_definition", parameters)


MAKERS: Mapping[str, Callable[[Arguments, Clients], Properties]] = {
    "aws_s3_bucket": _bucket,
    "aws_s3_bucket_ownership_controls": _ownership,
    "aws_s3_bucket_public_access_block": _public_access,
    "aws_s3_bucket_server_side_encryption_configuration": _encryption,
    "aws_s3_bucket_lifecycle_configuration": _lifecycle,
    "aws_s3_bucket_policy": _bucket_policy,
    "aws_cloudwatch_log_group": _log_group,
    "aws_ecr_repository": _repository,
    "aws_ecr_lifecycle_policy": _repository_lifecycle,
    "aws_iam_role": _role,
    "aws_iam_role_policy": _role_policy,
    "aws_iam_instance_profile": _instance_profile,
    "aws_security_group": _security_group,
    "aws_launch_template": _launch_template,
    "aws_batch_compute_environment": _environment,
    "aws_batch_job_queue": _queue,
    "aws_batch_job_definition": _definition,
}
