"""Whether the instances' role lets them join the cluster."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.facts import Evidence, InstanceRole
from engine.diagnosis.findings import Cause, Seen, failed, passed, warned


def look(evidence: Evidence, role: InstanceRole | None) -> Seen:
    if role is None or not role.role:
        name = role.profile if role is not None else "?"
        return failed(f"instance profile {name} has no role", _no_role(name))
    if remedies.INSTANCE_POLICY in role.policies:
        return passed(f"{role.role} has {remedies.INSTANCE_POLICY}")
    others = ", ".join(role.policies) or "no managed policy"
    told = f"{role.role} has {others}: whether an inline policy does instead was not looked at"
    return warned(told, _no_policy(evidence, role))


def _no_role(profile: str) -> Cause:
    text = f"Instance profile {profile} does not exist or holds no role: instances can't join the cluster."
    return Cause(verdict="instances have no role", text=text, remedies=(remedies.provision_again(),))


def _no_policy(evidence: Evidence, role: InstanceRole) -> Cause:
    text = f"Role {role.role} lacks {remedies.INSTANCE_POLICY}: without it, or its like, instances can't join ECS."
    queue = evidence.known_queue
    partition = "aws" if queue is None else queue.arn.split(":")[1]
    todo = (remedies.attach_instance_policy(evidence, role.role, partition),)
    return Cause(verdict="", text=text, remedies=todo, settles=False)
