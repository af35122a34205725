"""Resources of a provisioned stack: whether all are there, and as they were asked for.

The diagnosis's checks look at what a waiting job needs; without its bucket, log group or roles it fails when it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, Remedy, RemedyTarget
from provisioner.clients import Clients
from provisioner.doctor.finding import DoctorCheck, Finding, command_for
from provisioner.plan.drift import LiveResource, live_resources
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

RESOURCES: Final = DoctorCheck(CheckId.STACK_RESOURCES, "what was provisioned is there")


def check_resources(clients: Clients, spec: ProvisionSpec, stack: Stack) -> Finding:
    """Check what was provisioned: what is missing is a failure, what differs a warning."""
    return assess_resources(live_resources(spec, stack, RemoteState(clients)), stack)


def assess_resources(resources: Sequence[LiveResource], stack: Stack) -> Finding:
    """Assess resources as they live."""
    fix = Remedy("make it as it was", command_for(stack, "provision"), RemedyTarget.STACK)
    if missing := [one for one in resources if one.is_missing]:
        return RESOURCES.found(CheckStatus.FAIL, f"MISSING: {_names(missing)}", fix)
    if unread := [one for one in resources if one.error]:
        return RESOURCES.found(CheckStatus.UNKNOWN, f"{unread[0].kind} {unread[0].name}: {unread[0].error}")
    if changed := [one for one in resources if one.drift]:
        paths = ", ".join(f"{one.name} ({', '.join(field.path for field in one.drift)})" for one in changed)
        return RESOURCES.found(CheckStatus.WARN, f"changed since it was provisioned: {paths}", fix)
    if advice := [one.advice for one in resources if one.advice]:
        newer = Remedy("take the newer images", command_for(stack, "provision", "--refresh-ami"), RemedyTarget.STACK)
        return RESOURCES.found(CheckStatus.WARN, " ".join(advice), newer)
    return RESOURCES.found(CheckStatus.PASS, f"{len(resources)} resources, all as they were asked for")


def _names(resources: Sequence[LiveResource]) -> str:
    return ", ".join(f"{one.kind} {one.name}" for one in resources)
