"""moto's CloudFormation, with what AWS's does besides.

moto 5.2 works out parameters, conditions and references and refuses names that are taken. It forgets most of a bucket's
settings and of Batch's properties, knows no bucket policies and no service-linked role, deletes nothing of Batch's, and
of the deletion policies only `Retain`. Here those resources are made by the calls that AWS makes of their properties.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.batch.models import ComputeEnvironment, JobDefinition, JobQueue
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.ecr.models import Repository, ecr_backends
from moto.iam.models import Role
from moto.s3.models import FakeBucket

from provisioner.resources.service_role import SERVICE
from tests.support.provisioner.account import REGION

MAPS = ("parameters", "tags", "options")
Properties = dict[str, Any]


class BucketPolicy(CloudFormationModel):  # type: ignore[misc]  # moto has no types
    """Bucket policy, as a resource of its own."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    @property
    def physical_resource_id(self) -> str:
        return self.bucket

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Bucket"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, *words: Any, **names: Any
    ) -> BucketPolicy:
        properties = cloudformation_json["Properties"]
        client("s3").put_bucket_policy(Bucket=resource_name, Policy=json.dumps(properties["PolicyDocument"]))
        return cls(resource_name)


class MadeByCalls:
    """What CloudFormation holds of a resource of Batch's."""

    def __init__(self, arn: str, remove: Callable[[], object]) -> None:
        self.physical_resource_id = arn
        self._remove = remove

    def is_created(self) -> bool:
        return True

    def delete(self, account_id: str, region_name: str) -> None:
        self._remove()


def client(service: str) -> Any:
    make: Any = boto3.client
    return make(service, region_name=REGION)


def complete(patch: pytest.MonkeyPatch) -> None:
    """moto as AWS is, until `patch` ends."""
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()
    for model, make in ((ComputeEnvironment, _environment), (JobQueue, _queue), (JobDefinition, _definition)):
        patch.setattr(model, "create_from_cloudformation_json", _calls(make))
    patch.setattr(FakeBucket, "create_from_cloudformation_json", _bucket(FakeBucket.create_from_cloudformation_json))
    patch.setattr(Role, "create_from_cloudformation_json", _role(Role.create_from_cloudformation_json))
    repository = Repository.create_from_cloudformation_json
    patch.setattr(Repository, "create_from_cloudformation_json", _repository(repository))
    patch.setattr(parsing.ResourceMap, "delete", _keeping(parsing.ResourceMap.delete))


def deploy(template: Properties, name: str = "stack", **parameters: str) -> dict[str, str]:
    """Outputs of a new stack. Raises botocore's `ClientError` with AWS's code where a resource is refused."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    aws = client("cloudformation")
    aws.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    (stack,) = aws.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def delete(name: str = "stack") -> None:
    client("cloudformation").delete_stack(StackName=name)


def _calls(make: Callable[[str, Properties], MadeByCalls]) -> Any:
    def create(resource_name: str, cloudformation_json: Properties, *words: Any, **names: Any) -> MadeByCalls:
        return make(resource_name, lowered(cloudformation_json["Properties"]))

    return staticmethod(create)


def lowered(value: Any) -> Any:
    """Names as Batch's API has them."""
    if isinstance(value, dict):
        return {_lower(key): one if _lower(key) in MAPS else lowered(one) for key, one in value.items()}
    return [lowered(one) for one in value] if isinstance(value, list) else value


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _environment(name: str, properties: Properties) -> MadeByCalls:
    """With Batch's own role, made where it is missing; moto demands the ARN in the call."""
    iam, batch = client("iam"), client("batch")
    roles = iam.list_roles(PathPrefix=f"/aws-service-role/{SERVICE}/")["Roles"]
    role = roles[0] if roles else iam.create_service_linked_role(AWSServiceName=SERVICE)["Role"]
    only_of_updates = ("replaceComputeEnvironment", "updatePolicy")
    parameters = {key: value for key, value in properties.items() if key not in only_of_updates}
    made = batch.create_compute_environment(**parameters, serviceRole=role["Arn"])
    return MadeByCalls(made["computeEnvironmentArn"], lambda: batch.delete_compute_environment(computeEnvironment=name))


def _queue(name: str, properties: Properties) -> MadeByCalls:
    batch = client("batch")
    made = batch.create_job_queue(**properties)
    return MadeByCalls(made["jobQueueArn"], lambda: batch.delete_job_queue(jobQueue=name))


def _definition(name: str, properties: Properties) -> MadeByCalls:
    batch = client("batch")
    arn = batch.register_job_definition(**properties)["jobDefinitionArn"]
    return MadeByCalls(arn, lambda: batch.deregister_job_definition(jobDefinition=arn))


def _bucket(create: Any) -> Any:
    def created(resource_name: str, cloudformation_json: Properties, *words: Any, **names: Any) -> Any:
        made = create(resource_name, cloudformation_json, *words, **names)
        properties, s3 = cloudformation_json["Properties"], client("s3")
        rules = [_nested_rule(one) for one in properties["LifecycleConfiguration"]["Rules"]]
        settings: dict[str, dict[str, Any]] = {
            "put_bucket_ownership_controls": {"OwnershipControls": properties["OwnershipControls"]},
            "put_public_access_block": {"PublicAccessBlockConfiguration": properties["PublicAccessBlockConfiguration"]},
            "put_bucket_lifecycle_configuration": {"LifecycleConfiguration": {"Rules": rules}},
        }
        for operation, parameters in settings.items():
            getattr(s3, operation)(Bucket=resource_name, **parameters)
        return made

    return staticmethod(created)


def _nested_rule(rule: Properties) -> Properties:
    return {
        "ID": rule["Id"],
        "Status": rule["Status"],
        "Filter": {"Prefix": rule["Prefix"]},
        "Expiration": {"Days": int(rule["ExpirationInDays"])},
        "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
    }


def _role(create: Any) -> Any:
    """moto keeps a policy of a template's as a document, which no call can read."""

    def created(resource_name: str, cloudformation_json: Properties, *words: Any, **names: Any) -> Any:
        properties = {**cloudformation_json["Properties"]}
        policies = properties.pop("Policies")
        made = create(resource_name, {**cloudformation_json, "Properties": properties}, *words, **names)
        for one in policies:
            text = json.dumps(one["PolicyDocument"])
            client("iam").put_role_policy(RoleName=resource_name, PolicyName=one["PolicyName"], PolicyDocument=text)
        return made

    return staticmethod(created)


def _repository(create: Any) -> Any:
    """ECR keeps a repository with images unless it is told to delete them."""

    def created(
        resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **_: Any
    ) -> Any:
        properties = cloudformation_json["Properties"]
        scan = {"scanOnPush": properties["ImageScanningConfiguration"]["ScanOnPush"]}
        json_of_moto = {**cloudformation_json, "Properties": {**properties, "ImageScanningConfiguration": scan}}
        made = create(resource_name, json_of_moto, account_id, region_name)
        text = properties["LifecyclePolicy"]["LifecyclePolicyText"]
        client("ecr").put_lifecycle_policy(repositoryName=resource_name, lifecyclePolicyText=text)
        force, backend = properties.get("EmptyOnDelete", False), ecr_backends[account_id][region_name]
        made.delete = lambda account_id, region_name: backend.delete_repository(resource_name, force=force)
        return made

    return staticmethod(created)


def _keeping(delete: Callable[[Any], None]) -> Callable[[Any], None]:
    """`RetainExceptOnCreate` is as `Retain` once the stack was made."""

    def deleted(resources: Any) -> None:
        for resource in resources._resource_json_map.values():
            if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
                resource["DeletionPolicy"] = "Retain"
        delete(resources)

    return deleted
