"""The role of the environments' instances: without its policy they never join the cluster."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis.facts import Evidence, Fact, InstanceRole
from engine.diagnosis.reads import Reader


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    profiles = sorted({one.instance_role for one in evidence.launching if one.instance_role})
    if not profiles:
        return evidence
    return replace(evidence, role=_role(reader, profiles[0].rpartition("/")[2]))


def _role(reader: Reader, profile: str) -> Fact[InstanceRole]:
    reading = reader.read("iam", "get_instance_profile", InstanceProfileName=profile)
    if reading.code in ("NoSuchEntity", "NoSuchEntityException"):
        return Fact(reading.source, reading.at, InstanceRole(profile, "", ()))
    if reading.trouble:
        return Fact(reading.source, reading.at, trouble=reading.trouble)
    roles = [one["RoleName"] for one in reading.answer["InstanceProfile"].get("Roles", ())]
    if not roles:
        return Fact(reading.source, reading.at, InstanceRole(profile, "", ()))
    attached = reader.read("iam", "list_attached_role_policies", RoleName=roles[0])
    if attached.trouble:
        return Fact(attached.source, attached.at, trouble=attached.trouble)
    names = tuple(one["PolicyName"] for one in attached.answer.get("AttachedPolicies", ()))
    return Fact(attached.source, attached.at, InstanceRole(profile, roles[0], names))
