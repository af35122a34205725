"""Catalog of a stack's resources, in the order in which one needs the other.

The one list of them: what a spec asks for and what a cleanup looks for are selections of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.errors import ProvisionError
from provisioner.plan.remote import RemoteState
from provisioner.policies import execution_policy, instance_policy, job_policy, trust
from provisioner.resources.bucket import Bucket
from provisioner.resources.compute_environment import ComputeEnvironment
from provisioner.resources.instance_profile import InstanceProfile
from provisioner.resources.job_definition import JobDefinition
from provisioner.resources.job_queue import JobQueue
from provisioner.resources.launch_template import LaunchTemplate
from provisioner.resources.log_group import LogGroup
from provisioner.resources.repository import Repository
from provisioner.resources.resource import Resource
from provisioner.resources.role import Role
from provisioner.resources.security_group import ANY_VPC, SecurityGroup, groups_of
from provisioner.resources.service_role import ServiceRole
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec


def _catalog(
    stack: Stack, security_groups: Sequence[SecurityGroup], *, end_jobs: bool = False, refresh_ami: bool = False
) -> list[Resource]:
    return [
        Bucket(stack),
        LogGroup(stack),
        Repository(stack),
        *_roles(stack),
        InstanceProfile(stack),
        ServiceRole(stack),
        *security_groups,
        LaunchTemplate(stack),
        ComputeEnvironment(stack, spot=True, end_jobs=end_jobs, refresh_ami=refresh_ami),
        ComputeEnvironment(stack, end_jobs=end_jobs, refresh_ami=refresh_ami),
        JobQueue(stack),
        JobDefinition(stack),
    ]


def desired_resources(
    spec: ProvisionSpec, stack: Stack, vpc_id: str, *, end_jobs: bool = False, refresh_ami: bool = False
) -> list[Resource]:
    """Resources that a spec asks for, with instances in the VPC `vpc_id`.

    `end_jobs` for what may end jobs, `refresh_ami` for newer system images.
    """
    stack = stack.tagged(spec.tags).encrypted(spec.kms_key)
    found = _catalog(stack, [SecurityGroup(stack, vpc_id)], end_jobs=end_jobs, refresh_ami=refresh_ami)
    return [one for one in found if one.is_desired(spec)]


def known_resources(stack: Stack, remote: RemoteState) -> list[Resource]:
    """Resources that any spec can have made under these names, existing or not; shared ones are left out."""
    return [one for one in _catalog(stack, _security_groups(stack, remote)) if not one.shared]


def upstream_resources(stack: Stack) -> list[Resource]:
    """Resources under names that only Scaler's own provisioner gives: to be removed; its others are as ours."""
    containers, instances = trust("ecs-tasks.amazonaws.com"), trust(f"ec2.{stack.dns_suffix}")
    return [
        Role(stack, stack.upstream_job_role, containers, lambda spec: job_policy(stack, spec.s3_prefix)),
        Role(stack, stack.upstream_instance_role, instances, lambda spec: instance_policy(stack)),
        InstanceProfile(stack, stack.upstream_instance_profile),
    ]


def _security_groups(stack: Stack, remote: RemoteState) -> list[SecurityGroup]:
    """One in each VPC that has ours; where they can't be listed, one whose own reading will say why."""
    try:
        groups = groups_of(stack, remote)
    except ProvisionError:
        groups = []
    return [SecurityGroup(stack, str(group["VpcId"])) for group in groups] or [SecurityGroup(stack, ANY_VPC)]


def _roles(stack: Stack) -> list[Role]:
    containers = trust("ecs-tasks.amazonaws.com", stack)
    instances = trust(f"ec2.{stack.dns_suffix}")
    return [
        Role(stack, stack.job_role, containers, lambda spec: job_policy(stack, spec.s3_prefix)),
        Role(stack, stack.execution_role, containers, lambda spec: execution_policy(stack, spec.image)),
        Role(stack, stack.instance_role, instances, lambda spec: instance_policy(stack)),
    ]
