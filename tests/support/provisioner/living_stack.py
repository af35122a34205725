"""What lives of a stack, as AWS describes it, in CloudFormation's words. Knows nothing of how a template is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from provisioner.clients import Clients
from provisioner.stack.naming import Stack

Properties = dict[str, Any]


class Living:
    """Reads one resource at a time, by CloudFormation's type and its name."""

    def __init__(self, clients: Clients, stack: Stack) -> None:
        self._clients = clients
        self._stack = stack
        self._by_type: dict[str, Callable[[str], Properties]] = {
            "AWS::S3::Bucket": self._bucket,
            "AWS::S3::BucketPolicy": self._bucket_policy,
            "AWS::Logs::LogGroup": self._log_group,
            "AWS::ECR::Repository": self._repository,
            "AWS::IAM::Role": self._role,
            "AWS::IAM::InstanceProfile": self._instance_profile,
            "AWS::EC2::SecurityGroup": self._security_group,
            "AWS::EC2::LaunchTemplate": self._launch_template,
            "AWS::Batch::ComputeEnvironment": self._compute_environment,
            "AWS::Batch::JobQueue": self._job_queue,
            "AWS::Batch::JobDefinition": self._job_definition,
        }

    def read(self, kind: str, name: str) -> Properties:
        return self._by_type[kind](name)

    def _call(self, service: str, operation: str, **parameters: object) -> Any:
        return self._clients.call(service, operation, parameters)

    def _s3(self, operation: str, name: str) -> Any:
        return self._call("s3", operation, Bucket=name)

    def _bucket(self, name: str) -> Properties:
        encryption = self._s3("get_bucket_encryption", name)["ServerSideEncryptionConfiguration"]["Rules"]
        rules = self._s3("get_bucket_lifecycle_configuration", name)["Rules"]
        return {
            "BucketName": name,
            "OwnershipControls": {
                "Rules": self._s3("get_bucket_ownership_controls", name)["OwnershipControls"]["Rules"]
            },
            "PublicAccessBlockConfiguration": self._s3("get_public_access_block", name)[
                "PublicAccessBlockConfiguration"
            ],
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": one["ApplyServerSideEncryptionByDefault"]} for one in encryption
                ]
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": one["ID"],
                        "Status": one["Status"],
                        "Prefix": one["Filter"]["Prefix"],
                        "ExpirationInDays": one["Expiration"]["Days"],
                        "AbortIncompleteMultipartUpload": one["AbortIncompleteMultipartUpload"],
                    }
                    for one in rules
                ]
            },
            "Tags": self._s3("get_bucket_tagging", name)["TagSet"],
        }

    def _bucket_policy(self, name: str) -> Properties:
        return {"Bucket": name, "PolicyDocument": json.loads(self._s3("get_bucket_policy", name)["Policy"])}

    def _log_group(self, name: str) -> Properties:
        (group,) = self._call("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
        arn = group["arn"].removesuffix(":*")
        tags = self._call("logs", "list_tags_for_resource", resourceArn=arn)["tags"]
        return {"LogGroupName": name, "RetentionInDays": group["retentionInDays"], "Tags": _list(tags)}

    def _repository(self, name: str) -> Properties:
        (found,) = self._call("ecr", "describe_repositories", repositoryNames=[name])["repositories"]
        lifecycle = self._call("ecr", "get_lifecycle_policy", repositoryName=name)["lifecyclePolicyText"]
        return {
            "RepositoryName": name,
            "ImageTagMutability": found["imageTagMutability"],
            "ImageScanningConfiguration": {"ScanOnPush": found["imageScanningConfiguration"]["scanOnPush"]},
            "LifecyclePolicy": {"LifecyclePolicyText": lifecycle},
            "Tags": self._call("ecr", "list_tags_for_resource", resourceArn=found["repositoryArn"])["tags"],
        }

    def _role(self, name: str) -> Properties:
        role = self._call("iam", "get_role", RoleName=name)["Role"]
        names = self._call("iam", "list_role_policies", RoleName=name)["PolicyNames"]
        inline = [self._call("iam", "get_role_policy", RoleName=name, PolicyName=one) for one in names]
        boundary = role.get("PermissionsBoundary")
        return {
            "RoleName": name,
            "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
            "Policies": [{key: one[key] for key in ("PolicyName", "PolicyDocument")} for one in inline],
            **({"PermissionsBoundary": boundary["PermissionsBoundaryArn"]} if boundary else {}),
            "Tags": role["Tags"],
        }

    def _instance_profile(self, name: str) -> Properties:
        profile = self._call("iam", "get_instance_profile", InstanceProfileName=name)["InstanceProfile"]
        return {"InstanceProfileName": name, "Roles": [role["RoleName"] for role in profile["Roles"]]}

    def _security_group(self, name: str) -> Properties:
        group = self.group(name)
        assert group["IpPermissions"] == []
        return {
            "GroupName": name,
            "GroupDescription": group["Description"],
            "VpcId": group["VpcId"],
            "Tags": group["Tags"],
        }

    def group(self, name: str) -> Any:
        condition = {"Name": "group-name", "Values": [name]}
        (group,) = self._call("ec2", "describe_security_groups", Filters=[condition])["SecurityGroups"]
        return group

    def template(self, name: str) -> Any:
        (template,) = self._call("ec2", "describe_launch_templates", LaunchTemplateNames=[name])["LaunchTemplates"]
        return template

    def _launch_template(self, name: str) -> Properties:
        found = self._call("ec2", "describe_launch_template_versions", LaunchTemplateName=name, Versions=["$Default"])
        data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        # moto puts the template's own tags among those of what is launched
        launched = [one for one in data["TagSpecifications"] if one["ResourceType"] != "launch-template"]
        tags = {"ResourceType": "launch-template", "Tags": self.template(name)["Tags"]}
        return {
            "LaunchTemplateName": name,
            "LaunchTemplateData": {**data, "TagSpecifications": launched},
            "TagSpecifications": [tags],
        }

    def _compute_environment(self, name: str) -> Properties:
        found = self._call("batch", "describe_compute_environments", computeEnvironments=[name])
        (environment,) = found["computeEnvironments"]
        resources = environment["computeResources"]
        launch = {key: value for key, value in resources["launchTemplate"].items() if value != []}
        others = {key: value for key, value in resources.items() if key != "desiredvCpus"}
        return {
            "ComputeEnvironmentName": name,
            "Type": environment["type"],
            "State": environment["state"],
            "ComputeResources": _capitals({**others, "launchTemplate": launch}),
            "Tags": environment["tags"],
        }

    def _job_queue(self, name: str) -> Properties:
        (queue,) = self._call("batch", "describe_job_queues", jobQueues=[name])["jobQueues"]
        limits = queue.get("jobStateTimeLimitActions")
        return {
            "JobQueueName": name,
            "Priority": queue["priority"],
            "State": queue["state"],
            "ComputeEnvironmentOrder": [_capitals(one) for one in queue["computeEnvironmentOrder"]],
            **({"JobStateTimeLimitActions": [_capitals(one) for one in limits]} if limits else {}),
            "Tags": queue["tags"],
        }

    def _job_definition(self, name: str) -> Properties:
        """AWS tells empty lists of what was not asked for, and the actions of retry rules in lower case."""
        found = self._call("batch", "describe_job_definitions", jobDefinitionName=name, status="ACTIVE")
        (definition,) = found["jobDefinitions"]
        described = ("jobDefinitionArn", "revision", "status", "containerOrchestrationType")
        capitals = _capitals({key: value for key, value in definition.items() if key not in described})
        container = {key: value for key, value in capitals["ContainerProperties"].items() if value != []}
        container["LogConfiguration"] = {k: v for k, v in container["LogConfiguration"].items() if v != []}
        rules = [{**rule, "Action": rule["Action"].upper()} for rule in capitals["RetryStrategy"]["EvaluateOnExit"]]
        retries = {**capitals["RetryStrategy"], "EvaluateOnExit": rules}
        return {**capitals, "ContainerProperties": container, "RetryStrategy": retries}


def _list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _capitals(value: Any) -> Any:
    """Batch's names; what is below them in these three are people's own keys."""
    if isinstance(value, dict):
        return {
            key[:1].upper() + key[1:]: one if key in ("tags", "parameters", "options") else _capitals(one)
            for key, one in value.items()
        }
    return [_capitals(one) for one in value] if isinstance(value, list) else value
