"""Role of the environments' instances: whether it lets them join their ECS cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, unknown
from engine.diagnosis.evidence import Evidence, Fact, InstanceRole
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Reader, Reading

NEEDED_ACTION: Final = "ecs:RegisterContainerInstance"
MANAGED_POLICIES: Final = ("AmazonEC2ContainerServiceforEC2Role", "AdministratorAccess", "AmazonECS_FullAccess")
"""AWS's own policies that allow it."""
ABSENT_CODES: Final = ("NoSuchEntity", "NoSuchEntityException")


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read the first environment's role and its policies; the provisioner's environments all share one."""
    profiles = [one.instance_role for one in evidence.ec2_environments if one.instance_role]
    if not profiles:
        return evidence
    return replace(evidence, instance_role=_read_profile(reader, profiles[0].rpartition("/")[2]))


def assess(evidence: Evidence, role: InstanceRole | None) -> Assessment:
    """Without a policy for it instances never join the cluster."""
    if role is None or not role.role:
        name = role.profile if role is not None else "?"
        return failed(f"instance profile {name} has no role", _no_role(evidence, name))
    policies = ", ".join(role.policies) or "no policy"
    if role.may_register is None:
        return unknown(f"{role.role} has {policies}: whether they let it join a cluster was not looked at")
    if not role.may_register:
        return failed(f"{role.role} has {policies}, and may not join a cluster", _no_policy(evidence, role))
    return passed(f"{role.role} may join a cluster by {policies}")


def _no_role(evidence: Evidence, profile: str) -> Cause:
    text = f"Instance profile {profile} does not exist or holds no role: instances can't join the cluster."
    todo = (remedies.provision_again(evidence),)
    return Cause(kind=VerdictKind.BLOCKED, verdict="instances have no role", text=text, remedies=todo)


def _no_policy(evidence: Evidence, role: InstanceRole) -> Cause:
    text = f"Role {role.role} of the instances does not allow ecs:RegisterContainerInstance: they can't join ECS."
    queue = evidence.known_queue
    partition = "aws" if queue is None else queue.arn.split(":")[1]
    todo = (remedies.attach_instance_policy(role.role, partition), remedies.provision_again(evidence))
    return Cause(kind=VerdictKind.BLOCKED, verdict="instances lack a policy", text=text, remedies=todo)


def _read_profile(reader: Reader, profile: str) -> Fact[InstanceRole]:
    reading = reader.read("iam", "get_instance_profile", InstanceProfileName=profile)
    if reading.error and reading.code not in ABSENT_CODES:
        return Fact(reading.source, reading.at, error=reading.error)
    roles = (reading.answer.get("InstanceProfile") or {}).get("Roles", ())
    if not roles:
        return Fact(reading.source, reading.at, InstanceRole(profile, ""))
    return _read_role(reader, InstanceRole(profile, roles[0]["RoleName"]))


def _read_role(reader: Reader, found: InstanceRole) -> Fact[InstanceRole]:
    attached = reader.read("iam", "list_attached_role_policies", RoleName=found.role)
    if attached.error:
        return Fact(attached.source, attached.at, error=attached.error)
    names = tuple(one["PolicyName"] for one in attached.answer.get("AttachedPolicies", ()))
    if any(name in MANAGED_POLICIES for name in names):
        return Fact(attached.source, attached.at, replace(found, policies=names, may_register=True))
    listed = reader.read("iam", "list_role_policies", RoleName=found.role)
    inline = tuple(listed.answer.get("PolicyNames", ()))
    documents = [_read_document(reader, found.role, name) for name in inline]
    allowed = any(_allows(one.answer.get("PolicyDocument")) for one in documents)
    blind = bool(names) or any(one.error for one in (listed, *documents))
    value = replace(found, policies=(*names, *inline), may_register=allowed or (None if blind else False))
    return Fact(listed.source, listed.at, value)


def _read_document(reader: Reader, role: str, name: str) -> Reading:
    return reader.read("iam", "get_role_policy", RoleName=role, PolicyName=name)


def _allows(document: Mapping[str, Any] | None) -> bool:
    return any(fnmatchcase(NEEDED_ACTION, action) for action in _allowed_actions(document or {}))


def _allowed_actions(document: Mapping[str, Any]) -> Iterator[str]:
    statements = document.get("Statement", ())
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", ())
        if statement.get("Effect") == "Allow":
            yield from [actions] if isinstance(actions, str) else actions
