"""The role of the environments' instances: without the policy for it they never join the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from engine.diagnosis.evidence import Evidence, Fact, InstanceRole
from engine.diagnosis.reads import Reader, Reading

NEEDED: Final = "ecs:RegisterContainerInstance"
MANAGED: Final = ("AmazonEC2ContainerServiceforEC2Role", "AdministratorAccess", "AmazonECS_FullAccess")
"""AWS's own policies that allow it."""
ABSENT_CODES: Final = ("NoSuchEntity", "NoSuchEntityException")


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    """Of the first environment; the provisioner's all share one."""
    profiles = [one.instance_role for one in evidence.launching if one.instance_role]
    return replace(evidence, role=_profile(reader, profiles[0].rpartition("/")[2])) if profiles else evidence


def _profile(reader: Reader, profile: str) -> Fact[InstanceRole]:
    reading = reader.read("iam", "get_instance_profile", InstanceProfileName=profile)
    if reading.trouble and reading.code not in ABSENT_CODES:
        return Fact(reading.source, reading.at, trouble=reading.trouble)
    roles = (reading.answer.get("InstanceProfile") or {}).get("Roles", ())
    if not roles:
        return Fact(reading.source, reading.at, InstanceRole(profile, ""))
    return _role(reader, InstanceRole(profile, roles[0]["RoleName"]))


def _role(reader: Reader, found: InstanceRole) -> Fact[InstanceRole]:
    attached = reader.read("iam", "list_attached_role_policies", RoleName=found.role)
    if attached.trouble:
        return Fact(attached.source, attached.at, trouble=attached.trouble)
    names = tuple(one["PolicyName"] for one in attached.answer.get("AttachedPolicies", ()))
    if any(name in MANAGED for name in names):
        return Fact(attached.source, attached.at, replace(found, policies=names, may_register=True))
    listed = reader.read("iam", "list_role_policies", RoleName=found.role)
    inline = tuple(listed.answer.get("PolicyNames", ()))
    documents = [_document(reader, found.role, name) for name in inline]
    allowed = any(_allows(one.answer.get("PolicyDocument")) for one in documents)
    blind = bool(names) or any(one.trouble for one in (listed, *documents))
    value = replace(found, policies=(*names, *inline), may_register=allowed or (None if blind else False))
    return Fact(listed.source, listed.at, value)


def _document(reader: Reader, role: str, name: str) -> Reading:
    return reader.read("iam", "get_role_policy", RoleName=role, PolicyName=name)


def _allows(document: Mapping[str, Any] | None) -> bool:
    return any(fnmatchcase(NEEDED, action) for action in _allowed_actions(document or {}))


def _allowed_actions(document: Mapping[str, Any]) -> Iterator[str]:
    statements = document.get("Statement", ())
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", ())
        if statement.get("Effect") == "Allow":
            yield from [actions] if isinstance(actions, str) else actions
