"""Lookups of Batch in moto's IAM and EC2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.batch.account import LocalInstanceProfile

LATEST, DEFAULT = "$Latest", "$Default"
BATCH: Final = "batch.amazonaws.com"
SERVICE_LINKED: Final = f"/aws-service-role/{BATCH}/"


class MotoAccount:
    """The `Account` of the local Batch. moto's EC2 is loaded when it is first needed: it is heavy."""

    def __init__(self, moto: Moto, region: str) -> None:
        self._moto = moto
        self._region = region

    def role_since(self, arn: str) -> int | None:
        """When the role was made, in ms since the epoch; None when there is none."""
        with self._moto.lock:
            role = first(role for role in self._iam.get_roles() if role.arn == arn)
            return None if role is None else in_ms(role.create_date)

    def profile(self, name_or_arn: str) -> LocalInstanceProfile | None:
        """The instance profile of that name or ARN; it is what it is since its last role was made."""
        with self._moto.lock:
            found = first(one for one in self._iam.get_instance_profiles() if name_or_arn in (one.name, one.arn))
            if found is None:
                return None
            made = [in_ms(one.create_date) for one in (found, *found.roles)]
            return LocalInstanceProfile(bool(found.roles), max(made))

    def vpc_of_subnet(self, subnet_id: str) -> str | None:
        """Id of the subnet's VPC; None when there is no such subnet."""
        with self._moto.lock:
            zones = self._ec2.subnets.values()
            found = first(subnets[subnet_id] for subnets in zones if subnet_id in subnets)
            return None if found is None else str(found.vpc_id)

    def vpc_of_group(self, group_id: str) -> str | None:
        """Id of the security group's VPC; None when there is no such group."""
        with self._moto.lock:
            group = self._ec2.get_security_group_from_id(group_id)
            return None if group is None else str(group.vpc_id)

    def has_launch_template(self, template: Mapping[str, Any]) -> bool:
        """Whether EC2 has the template in the version that is asked for."""
        name, template_id = template.get("launchTemplateName"), template.get("launchTemplateId")
        with self._moto.lock:
            templates = self._ec2.launch_templates.values()
            found = first(one for one in templates if one.id == template_id or one.name == name)
            return found is not None and has_version(found, str(template.get("version") or LATEST))

    def architectures(self, name: str) -> frozenset[str]:
        """Architectures of an instance type or a family; empty for an unknown one."""
        from moto.ec2.models.instance_types import INSTANCE_TYPES

        types = [found for one, found in INSTANCE_TYPES.items() if name in (one, one.partition(".")[0])]
        return frozenset(kind for found in types for kind in found["ProcessorInfo"]["SupportedArchitectures"])

    def service_linked_role(self) -> str:
        """ARN of Batch's service-linked role, which is made when it is missing."""
        with self._moto.lock:
            found = first(role for role in self._iam.get_roles() if role.path == SERVICE_LINKED)
            return str((found or self._iam.create_service_linked_role(BATCH, "", "")).arn)

    @property
    def _iam(self) -> Any:
        return iam_backends[DEFAULT_ACCOUNT_ID]["aws"]

    @property
    def _ec2(self) -> Any:
        from moto.ec2.models import ec2_backends

        return ec2_backends[DEFAULT_ACCOUNT_ID][self._region]


def first(found: Iterable[Any]) -> Any:
    """The first item, or None."""
    return next(iter(found), None)


def has_version(template: Any, version: str) -> bool:
    """Whether a launch template has a version of that number, `$Latest` or `$Default`."""
    return version in (LATEST, DEFAULT) or version in {str(one.number) for one in template.versions}


def in_ms(when: datetime) -> int:
    """moto's times are UTC without saying so."""
    return int(when.replace(tzinfo=UTC).timestamp() * 1000)
