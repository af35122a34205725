"""Protocol of Batch's lookups in the account: IAM's roles, EC2's networks, launch templates and instance types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class LocalInstanceProfile:
    """An instance profile. It is what it is since `since_ms`."""

    has_role: bool
    since_ms: int


class Account(Protocol):
    """Answers None, or nothing, for what does not exist."""

    def role_since(self, arn: str) -> int | None:
        """When the role was made, in ms since the epoch."""

    def profile(self, name_or_arn: str) -> LocalInstanceProfile | None:
        """The instance profile of that name or ARN."""

    def vpc_of_subnet(self, subnet_id: str) -> str | None:
        """Id of the subnet's VPC."""

    def vpc_of_group(self, group_id: str) -> str | None:
        """Id of the security group's VPC."""

    def has_launch_template(self, template: Mapping[str, Any]) -> bool:
        """`template` names it by launchTemplateId or launchTemplateName, and may name a version."""

    def architectures(self, name: str) -> frozenset[str]:
        """Architectures of an instance type or of all types of a family."""

    def service_linked_role(self) -> str:
        """The ARN of Batch's own role, which is made when it is missing."""
