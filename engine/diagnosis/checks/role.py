"""Whether the instances' role lets them join the cluster."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, InstanceRole
from engine.diagnosis.findings import Assessment, Cause, failed, passed, unknown


def look(evidence: Evidence, role: InstanceRole | None) -> Assessment:
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
    return Cause(verdict="instances have no role", text=text, remedies=(remedies.provision_again(evidence),))


def _no_policy(evidence: Evidence, role: InstanceRole) -> Cause:
    text = f"Role {role.role} of the instances does not allow ecs:RegisterContainerInstance: they can't join ECS."
    queue = evidence.known_queue
    partition = "aws" if queue is None else queue.arn.split(":")[1]
    todo = (remedies.attach_instance_policy(role.role, partition), remedies.provision_again(evidence))
    return Cause(verdict="instances lack a policy", text=text, remedies=todo)
