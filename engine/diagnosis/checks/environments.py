"""Whether any of the queue's compute environments can take jobs."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Environment, Evidence
from engine.diagnosis.findings import Assessment, Cause, failed, passed, warned
from engine.diagnosis.model import Remedy


def look(evidence: Evidence, environments: tuple[Environment, ...] | None) -> Assessment:
    known = environments or ()
    told = " · ".join(map(_told, known)) or "the queue has none"
    usable = [one for one in known if _takes_jobs(one)]
    if not usable:
        return failed(told, _blocked(evidence, known, told))
    return passed(told) if len(usable) == len(known) else warned(told)


def _takes_jobs(environment: Environment) -> bool:
    return environment.usable and environment.on_ecs


def _told(environment: Environment) -> str:
    state = "" if environment.state == "ENABLED" else f"{environment.state} "
    orchestration = "" if environment.on_ecs else ", on EKS: these jobs need ECS"
    reason = f": {environment.reason}" if environment.status == "INVALID" and environment.reason else ""
    return f"{environment.name} {state}{environment.status}{orchestration}{reason}"


def _blocked(evidence: Evidence, environments: tuple[Environment, ...], told: str) -> Cause:
    text = f"None of the queue's compute environments can take jobs: {told}."
    todo = tuple(remedy for one in environments for remedy in _remedies(evidence, one))
    return Cause(verdict="blocked by its compute environments", text=text, remedies=todo)


def _remedies(evidence: Evidence, environment: Environment) -> list[Remedy]:
    if environment.status == "INVALID":
        return [remedies.look_at_environment(evidence, environment), remedies.provision_again(evidence)]
    if environment.state != "ENABLED":
        return [remedies.enable_environment(evidence, environment)]
    return []
