"""Names of everything that belongs to one prefix in one account and region."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

TAG: Final = "opengris:stack"
"""Tag of ownership and cost allocation: its value is the prefix."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Stack of one prefix. Its names are known before anything exists, so that a second run finds the first one's work.

    IAM has no regions, so its names carry one: two regions may share a prefix.
    """

    region: str
    prefix: str
    account: str
    partition: str
    dns_suffix: str = "amazonaws.com"
    own_tags: tuple[tuple[str, str], ...] = ()
    """Tags of the user's own, beside ours."""
    kms_key: str | None = None
    """ARN of the KMS key of the user's own, for what is stored."""

    @property
    def bucket(self) -> str:
        """Name of the S3 bucket; with account and region, because bucket names are unique in a partition."""
        return f"{self.prefix}-{self.account}-{self.region}"

    @property
    def job_queue(self) -> str:
        """Name of the job queue."""
        return f"{self.prefix}-queue"

    @property
    def job_definition(self) -> str:
        """Name of the job definition."""
        return f"{self.prefix}-job"

    @property
    def compute_environment(self) -> str:
        """Name of the on-demand compute environment."""
        return f"{self.prefix}-compute"

    @property
    def spot_environment(self) -> str:
        """Name of the Spot compute environment."""
        return f"{self.prefix}-spot"

    @property
    def repository(self) -> str:
        """Name of the ECR repository."""
        return f"{self.prefix}-worker"

    @property
    def instances(self) -> str:
        """Name of the instances' security group and of their launch template."""
        return f"{self.prefix}-instances"

    @property
    def log_group(self) -> str:
        """Name of the CloudWatch log group."""
        return f"/scaler/{self.prefix}"

    @property
    def job_role(self) -> str:
        """Name of the role of jobs' containers."""
        return f"{self.prefix}-job-{self.region}"

    @property
    def execution_role(self) -> str:
        """Name of the role with which the ECS agent starts jobs."""
        return f"{self.prefix}-execution-{self.region}"

    @property
    def instance_role(self) -> str:
        """Name of the instances' role and of its instance profile."""
        return f"{self.prefix}-instance-{self.region}"

    @property
    def upstream_job_role(self) -> str:
        """Name of the job role that Scaler's own provisioner makes."""
        return f"{self.prefix}-job-role"

    @property
    def upstream_instance_role(self) -> str:
        """Name of the instances' role that Scaler's own provisioner makes."""
        return f"{self.prefix}-instance-role"

    @property
    def upstream_instance_profile(self) -> str:
        """Name of the instance profile that Scaler's own provisioner makes."""
        return f"{self.prefix}-instance-profile"

    @property
    def tags(self) -> dict[str, str]:
        """Tags that every resource of the stack carries."""
        return {**dict(self.own_tags), TAG: self.prefix}

    def tagged(self, own_tags: tuple[tuple[str, str], ...]) -> Stack:
        """The same stack with these tags of the user's own."""
        return replace(self, own_tags=own_tags)

    def encrypted(self, kms_key: str | None) -> Stack:
        """The same stack, with what is stored under this KMS key."""
        return replace(self, kms_key=kms_key)

    @property
    def owns_key(self) -> bool:
        """True when its KMS key is of the same account, whose policies then say who may use it."""
        return self.kms_key is not None and self.kms_key.split(":")[4:5] == [self.account]

    def others_of(self, tags: dict[str, str]) -> dict[str, str]:
        """Tags of a resource that are not ours to set: where tags are written as a whole they are put back."""
        return {key: value for key, value in tags.items() if key not in self.tags}

    def ours_of(self, tags: dict[str, str]) -> dict[str, str]:
        """Tags of a resource that are ours to set; organizations put their own beside them."""
        return {key: value for key, value in tags.items() if key in self.tags}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """Tags as S3, IAM, EC2 and ECR take them."""
        return as_tag_list(self.tags)

    @property
    def bucket_arn(self) -> str:
        """ARN of the bucket, which has neither region nor account."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def iam_arn(self, kind: str, name: str) -> str:
        """ARN of an IAM resource; `kind` is role or instance-profile."""
        return f"arn:{self.partition}:iam::{self.account}:{kind}/{name}"

    def service_host(self, service: str) -> str:
        """Name of a service in the region, as KMS and key policies know it."""
        return f"{service}.{self.region}.{self.dns_suffix}"

    def arn(self, service: str, resource: str) -> str:
        """ARN of a regional resource, `resource` as it stands after the account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def as_tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as a list of keys and values."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def from_tag_list(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags from a list of keys and values."""
    return {tag["Key"]: tag["Value"] for tag in tags}
