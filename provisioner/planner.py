"""From what is asked for and what exists to a plan. Reads, never changes."""

from __future__ import annotations

from provisioner.clients import Clients
from provisioner.models import Plan
from provisioner.policies import execution_policy, instance_policy, job_policy, trust
from provisioner.remote import RemoteState
from provisioner.resources import Resource
from provisioner.resources.bucket import Bucket
from provisioner.resources.compute_environment import ComputeEnvironment
from provisioner.resources.instance_profile import InstanceProfile
from provisioner.resources.job_definition import JobDefinition
from provisioner.resources.job_queue import JobQueue
from provisioner.resources.log_group import LogGroup
from provisioner.resources.role import Role
from provisioner.resources.service_role import ServiceRole
from provisioner.spec import ProvisionSpec, check_place
from provisioner.stack import Stack


def stack_of(region: str, prefix: str, clients: Clients) -> Stack:
    """The names for this account. Raises `ConfigError` for a region or prefix that can't be."""
    check_place(region, prefix)
    return Stack(region, prefix, clients.account, clients.partition)


def plan_provision(spec: ProvisionSpec, stack: Stack, remote: RemoteState) -> Plan:
    """What is missing or different, in the order in which one resource needs the other."""
    steps = [step for resource in _resources(stack) for step in resource.changes(spec, remote)]
    return Plan(tuple(steps))


def plan_cleanup(stack: Stack, remote: RemoteState) -> Plan:
    """Everything of the stack that exists, last made first removed: no role under a living environment."""
    resources = reversed(_resources(stack))
    return Plan(tuple(step for resource in resources for step in resource.removal(remote)))


def _resources(stack: Stack) -> tuple[Resource, ...]:
    containers = trust("ecs-tasks.amazonaws.com", stack)
    instances = trust("ec2.amazonaws.com")
    return (
        Bucket(stack),
        LogGroup(stack),
        Role(stack, stack.job_role, containers, lambda spec: job_policy(stack)),
        Role(stack, stack.execution_role, containers, lambda spec: execution_policy(stack, spec.image)),
        Role(stack, stack.instance_role, instances, lambda spec: instance_policy()),
        InstanceProfile(stack),
        ServiceRole(),
        ComputeEnvironment(stack),
        JobQueue(stack),
        JobDefinition(stack),
    )
