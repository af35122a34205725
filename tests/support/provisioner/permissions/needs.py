"""What IAM asks for when a call is made: actions, resources, and what condition keys stand for.

Most calls need the action of their own name. The exceptions are those of AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.permissions.calls import Call
from tests.support.provisioner.permissions.matching import Need

S3_ACTIONS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
BATCH_ACTIONS = {"TerminateJobs": "TerminateJob", "CancelJobs": "CancelJob"}
EC2_KINDS = {"sg": "security-group", "lt": "launch-template"}
EC2_READS = ("Describe", "Get")


class NeedsOfCalls:
    """Takes calls in their order: what was tagged or bounded before decides about a later one."""

    def __init__(self) -> None:
        self._tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._boundaries: dict[str, str] = {}
        self._by_service: dict[str, Callable[[Call], Iterator[Need]]] = {
            "autoscaling": self._unscoped,
            "batch": self._batch,
            "ec2": self._ec2,
            "ecr": self._ecr,
            "ecs": self._ecs,
            "iam": self._iam,
            "logs": self._logs,
            "pricing": self._unscoped,
            "s3": self._s3,
            "servicequotas": self._unscoped,
            "sts": lambda call: iter(()),  # GetCallerIdentity is everybody's
        }

    def of(self, call: Call) -> list[Need]:
        return list(self._by_service[call.service](call))

    def _unscoped(self, call: Call) -> Iterator[Need]:
        yield Need.of(f"{call.service}:{call.operation}")

    def _s3(self, call: Call) -> Iterator[Need]:
        bucket, key = f"arn:aws:s3:::{call.text('Bucket')}", call.text("Key")
        resource = f"{bucket}/{key}" if key else bucket
        action = "s3:" + S3_ACTIONS.get(call.operation, call.operation)
        match call.operation:
            case "DeleteObjects":
                for name, version in call.parameters["Objects"]:
                    yield Need.of("s3:DeleteObjectVersion" if version else "s3:DeleteObject", f"{bucket}/{name}")
                return
            case "ListObjects" | "ListObjectsV2":
                yield Need.of(action, resource, **{"s3:prefix": call.text("prefix")})
                return
            case "CreateBucket" if "x-amz-object-ownership" in call.parameters:
                yield Need.of("s3:PutBucketOwnershipControls", bucket)
            case "GetObject" | "HeadObject" if call.status == 404:  # without it S3 answers 403
                yield Need.of("s3:ListBucket", bucket, **{"s3:prefix": key})
            case "PutObject" if "if-match" in call.parameters:  # to compare, S3 reads
                yield Need.of("s3:GetObject", resource)
        yield Need.of(action, resource)

    def _batch(self, call: Call) -> Iterator[Need]:
        action = f"batch:{BATCH_ACTIONS.get(call.operation, call.operation)}"
        places = [*self._batch_places(call)]
        for place in places or ["*"]:
            tags = self._tags.get(place, {})
            yield Need.of(action, place, **_resource_tags(tags))
        if call.operation == "SubmitJob" and call.status == 200:
            job = _batch_arn(f"job/{json.loads(call.answer)['jobId']}")
            self._tags[job].update(call.parameters.get("tags", {}))
        if "tags" in call.parameters and call.operation != "TagResource":
            tagged = places[0] if call.operation != "RegisterJobDefinition" else f"{places[0]}:1"
            yield Need.of("batch:TagResource", tagged)
        yield from _passed_roles(call)

    def _batch_places(self, call: Call) -> Iterator[str]:
        match call.operation:
            case "CreateComputeEnvironment":
                yield _batch_arn(f"compute-environment/{call.text('computeEnvironmentName')}")
            case "UpdateComputeEnvironment" | "DeleteComputeEnvironment":
                yield _batch_arn(f"compute-environment/{call.text('computeEnvironment')}")
            case "CreateJobQueue" | "UpdateJobQueue":
                yield _batch_arn(f"job-queue/{call.text('jobQueueName') or call.text('jobQueue')}")
                for one in call.parameters.get("computeEnvironmentOrder", ()):
                    yield one["computeEnvironment"]
            case "DeleteJobQueue" | "GetJobQueueSnapshot":
                yield _batch_arn(f"job-queue/{call.text('jobQueue').rpartition('/')[2]}")
            case "RegisterJobDefinition":
                yield _batch_arn(f"job-definition/{call.text('jobDefinitionName')}")
            case "DeregisterJobDefinition":
                yield _batch_arn(f"job-definition/{call.text('jobDefinition').rpartition('/')[2]}")
            case "SubmitJob":
                yield _batch_arn("job/*")
                yield _batch_arn(f"job-queue/{call.text('jobQueue').rpartition('/')[2]}")
                yield _batch_arn(f"job-definition/{call.text('jobDefinition').rpartition('/')[2]}")
            case "TerminateJob" | "CancelJob":
                yield _batch_arn(f"job/{call.text('jobId')}")  # of an array's child parent:index, which has no tags
            case "TerminateJobs" | "CancelJobs":
                for job_id in call.parameters["jobs"]:
                    yield _batch_arn(f"job/{job_id}")
            case "TagResource" | "UntagResource" | "ListTagsForResource":
                yield call.text("resourceArn")

    def _logs(self, call: Call) -> Iterator[Need]:
        group = call.text("logGroupName")
        arn = call.text("resourceArn") or _arn("logs", f"log-group:{group}")
        match call.operation:
            case "DescribeLogGroups":
                yield Need.of("logs:DescribeLogGroups")
            case "GetLogEvents":
                yield Need.of("logs:GetLogEvents", f"{arn}:log-stream:{call.text('logStreamName')}")
            case _:
                yield Need.of(f"logs:{call.operation}", arn)
        if call.operation == "CreateLogGroup" and call.parameters.get("tags"):
            yield Need.of("logs:TagResource", arn)

    def _ecr(self, call: Call) -> Iterator[Need]:
        if call.operation == "GetAuthorizationToken":
            yield Need.of("ecr:GetAuthorizationToken")
            return
        name = call.text("repositoryName") or "".join(call.parameters.get("repositoryNames", ()))
        arn = call.text("resourceArn") or _arn("ecr", f"repository/{name}")
        yield Need.of(f"ecr:{call.operation}", arn)
        if call.operation == "CreateRepository" and call.parameters.get("tags"):
            yield Need.of("ecr:TagResource", arn)

    def _ecs(self, call: Call) -> Iterator[Need]:
        cluster = call.text("cluster").rpartition("/")[2]
        kind = "cluster" if call.operation == "ListContainerInstances" else "container-instance"
        rest = cluster if kind == "cluster" else f"{cluster}/0123456789abcdef"
        yield Need.of(f"ecs:{call.operation}", _arn("ecs", f"{kind}/{rest}"))

    def _iam(self, call: Call) -> Iterator[Need]:
        role, profile = call.text("RoleName"), call.text("InstanceProfileName")
        action = f"iam:{call.operation}"
        if call.operation == "CreateServiceLinkedRole":
            service = call.text("AWSServiceName")
            arn = _iam_arn(f"role/aws-service-role/{service}/AWSServiceRoleForBatch")
            yield Need.of(action, arn, **{"iam:AWSServiceName": service})
        elif call.operation == "SimulatePrincipalPolicy":
            # moto tells of its user as if STS had made it
            yield Need.of(action, call.text("PolicySourceArn").replace(":sts:", ":iam:"))
        elif profile:
            yield Need.of(action, _iam_arn(f"instance-profile/{profile}"))
        elif role:
            yield self._of_role(call, action, role)
        else:
            yield Need.of(action)
        if call.operation in ("CreateRole", "CreateInstanceProfile") and call.texts("Tags.member."):
            yield Need.of(*(("iam:TagRole", _iam_arn(f"role/{role}")) if role else _tagged_profile(profile)))
        if call.operation == "AddRoleToInstanceProfile":
            yield _pass_role(_iam_arn(f"role/{role}"), "ec2.amazonaws.com")

    def _of_role(self, call: Call, action: str, role: str) -> Need:
        """The boundary that a role is given, or that it has."""
        if given := call.text("PermissionsBoundary"):
            self._boundaries[role] = given
        boundary = self._boundaries.get(role, "")
        if call.operation in ("DeleteRolePermissionsBoundary", "DeleteRole"):
            self._boundaries.pop(role, None)
        context = {"iam:PermissionsBoundary": boundary} if boundary else {}
        return Need.of(action, _iam_arn(f"role/{role}"), **context)

    def _ec2(self, call: Call) -> Iterator[Need]:
        action = f"ec2:{call.operation}"
        if call.operation.startswith(EC2_READS):
            yield Need.of(action)
        elif call.operation in ("CreateSecurityGroup", "CreateLaunchTemplate"):
            yield from self._ec2_creation(call)
        elif call.operation == "CreateTags":
            tags = _query_tags(call, "Tag.")
            for resource in call.texts("ResourceId."):
                yield Need.of(action, _ec2_arn(resource), **_request_tags(tags))
                self._tags[resource].update(tags)
        else:
            resource = call.text("GroupId") or call.text("LaunchTemplateName")
            yield Need.of(action, _ec2_arn(resource), **_resource_tags(self._tags[resource]))

    def _ec2_creation(self, call: Call) -> Iterator[Need]:
        tags = _query_tags(call, "TagSpecification.1.Tag.")
        kind = "security-group" if call.operation == "CreateSecurityGroup" else "launch-template"
        arn = _arn("ec2", f"{kind}/*")
        found = re.search(r"<groupId>(.*?)</groupId>", call.answer)
        self._tags[found[1] if found else call.text("LaunchTemplateName")].update(tags)
        yield Need.of(f"ec2:{call.operation}", arn, **_request_tags(tags))
        if kind == "security-group":
            yield Need.of("ec2:CreateSecurityGroup", _arn("ec2", f"vpc/{call.text('VpcId')}"))
        if tags:
            context = {**_request_tags(tags), "ec2:CreateAction": call.operation}
            yield Need.of("ec2:CreateTags", arn, **context)


def _passed_roles(call: Call) -> Iterator[Need]:
    """Of Batch's calls: who names a role for a service to use must be allowed to pass it on to that one."""
    container = call.parameters.get("containerProperties", {})
    for name in ("jobRoleArn", "executionRoleArn"):
        if name in container:
            yield _pass_role(container[name], "ecs-tasks.amazonaws.com")
    if profile := call.parameters.get("computeResources", {}).get("instanceRole"):
        yield _pass_role(_iam_arn(f"role/{profile.rpartition('/')[2]}"), "ec2.amazonaws.com")
    if role := call.text("serviceRole"):
        yield _pass_role(role, "batch.amazonaws.com")


def _pass_role(arn: str, service: str) -> Need:
    return Need.of("iam:PassRole", arn, **{"iam:PassedToService": service})


def _tagged_profile(profile: str) -> tuple[str, str]:
    return "iam:TagInstanceProfile", _iam_arn(f"instance-profile/{profile}")


def _query_tags(call: Call, prefix: str) -> dict[str, str]:
    numbers = {name.removeprefix(prefix).partition(".")[0] for name in call.parameters if name.startswith(prefix)}
    return {call.text(f"{prefix}{number}.Key"): call.text(f"{prefix}{number}.Value") for number in sorted(numbers)}


def _request_tags(tags: dict[str, str]) -> dict[str, str | tuple[str, ...]]:
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


def _resource_tags(tags: dict[str, str]) -> dict[str, str]:
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _batch_arn(resource: str) -> str:
    return _arn("batch", resource)


def _iam_arn(resource: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{resource}"


def _ec2_arn(resource: str) -> str:
    """Of a group's id, or of a template's name: its id is as little known to a policy."""
    kind = "security-group" if resource.startswith("sg-") else "launch-template"
    return _arn("ec2", f"{kind}/{resource}")
