"""What the provisioner's tests do to an account, and how they look at it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed
from provisioner.kinds import PlanAction, ResourceKind, StepState
from provisioner.plan.cleanup import Remains, Removal, StackCleaner, candidates
from provisioner.plan.executor import PlanExecutor
from provisioner.plan.model import Change, Plan
from provisioner.plan.planner import NO_CLAIMS, Claims, plan_provision, stack_of
from provisioner.plan.remote import RemoteState
from provisioner.plan.waiting import WaitPolicy
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

PROMPT = WaitPolicy(sleep=lambda seconds: None)
"""Waits for nothing; what has to be waited for is asked for again at once."""

EVERYTHING: Sequence[tuple[str, str, str, dict[str, Any]]] = (
    ("iam", "list_roles", "Roles", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", {}),
    ("iam", "list_policies", "Policies", {"Scope": "Local"}),
    ("logs", "describe_log_groups", "logGroups", {}),
    ("ecr", "describe_repositories", "repositories", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", {}),
    ("ec2", "describe_launch_templates", "LaunchTemplates", {}),
    ("ec2", "describe_subnets", "Subnets", {}),
    ("batch", "describe_compute_environments", "computeEnvironments", {}),
    ("batch", "describe_job_queues", "jobQueues", {}),
    ("batch", "describe_job_definitions", "jobDefinitions", {"status": "ACTIVE"}),
)
NOTHING_MUCH = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]}
)
"""A policy that IAM takes."""

SHARED = "aws-service-role"
"""In what belongs to the account: Batch's service-linked role stays when we go."""


class Refusing(Clients):
    """An account that refuses one operation, once `refused` names it."""

    def __init__(self, url: str, session: boto3.Session) -> None:
        super().__init__("us-east-1", session=session, endpoint_url=url)
        self.refused = ""

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        self._check(service, operation)
        return super().call(service, operation, parameters)

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        self._check(service, operation)
        return super().listing(service, operation, key, parameters)

    def _check(self, service: str, operation: str) -> None:
        if operation == self.refused:
            raise CallFailed(f"{service}:{operation}", "AccessDenied", "not allowed")


def stack_for(spec: ProvisionSpec, clients: Clients) -> Stack:
    return stack_of(spec.region, spec.prefix, clients)


def plan_for(spec: ProvisionSpec, clients: Clients, claims: Claims = NO_CLAIMS) -> Plan:
    return plan_provision(spec, stack_for(spec, clients), RemoteState(clients), claims)


def changes(plan: Plan) -> list[str]:
    """In words, without what stays."""
    return [str(change) for change in plan.changes if change.action is not PlanAction.KEEP]


def change_of(plan: Plan, kind: ResourceKind) -> Change:
    (found,) = (change for change in plan.changes if change.kind == kind and change.action is not PlanAction.KEEP)
    return found


def newest_definition(clients: Clients, name: str = "scaler-batch-job") -> Document:
    """Newest revision of a job definition; the default stack's, unless a name is given."""
    words = {"jobDefinitionName": name}
    listed = clients.listing("batch", "describe_job_definitions", "jobDefinitions", words)
    return max(listed, key=lambda found: int(found["revision"]))


def compute_resources(clients: Clients, name: str = "scaler-batch-compute") -> Document:
    """computeResources of a compute environment."""
    words = {"computeEnvironments": [name]}
    (found,) = clients.call("batch", "describe_compute_environments", words)["computeEnvironments"]
    resources: Document = found["computeResources"]
    return resources


def apply(spec: ProvisionSpec, clients: Clients, claims: Claims = NO_CLAIMS) -> None:
    PlanExecutor(clients, lambda progress: None, PROMPT).run(plan_for(spec, clients, claims))


def clean(
    spec: ProvisionSpec, clients: Clients, *, claims: Claims = NO_CLAIMS, keep_data: bool = False
) -> tuple[list[Removal], list[Remains]]:
    """The outcomes, without the steps on the way, and what remains."""
    reported: list[Removal] = []
    stack = stack_for(spec, clients)
    cleaner = StackCleaner(stack, clients, reported.append, claims=claims, keep_data=keep_data, wait_policy=PROMPT)
    remains = cleaner.run(candidates(stack, RemoteState(clients), claims))
    return [removal for removal in reported if removal.state is not StepState.RUNNING], remains


def account(clients: Clients) -> list[str]:
    """All that is in the account by every API that we make anything with; equal when nothing came or went."""
    buckets = clients.call("s3", "list_buckets", {})["Buckets"]
    listed = [entry for service, name, key, words in EVERYTHING for entry in clients.listing(service, name, key, words)]
    texts = [json.dumps(_lasting(entry), sort_keys=True, default=str) for entry in [*buckets, *listed]]
    return sorted(text for text in texts if SHARED not in text)


def _lasting(entry: Document) -> Document:
    return {key: value for key, value in entry.items() if key not in ("AvailableIpAddressCount", "CreateDate")}
