"""Launches of instances: whether any are being started, and what EC2 answers.

AWS Batch names an autoscaling group `AWSBatch-<environment>-asg-<uuid>`; environments of the older BEST_FIT strategy
have none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, format_duration, passed, unknown, warned
from engine.diagnosis.evidence import Evidence, Fact, Launches
from engine.diagnosis.model import Remedy, VerdictKind
from engine.diagnosis.reads import Document, Reader, Reading

RECENT_S: Final = 1800.0
ENDED: Final = ("Successful", "Failed", "Cancelled")
# Parts of what EC2 says; https://docs.aws.amazon.com/autoscaling/ec2/userguide/CHAP_Troubleshooting.html
NO_CAPACITY: Final = (
    "InsufficientInstanceCapacity",
    "do not have sufficient",
    "no Spot capacity",
    "UnfulfillableCapacity",
)
NO_QUOTA: Final = ("VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded", "vCPU capacity than")
NO_KEY: Final = ("InvalidKMSKey", "Client.InternalError: Client error on launch")
"""https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-instancelaunchfailure.html"""

ENDED_AT_START: Final = "Termination Reason"
"""In the message of a launch that EC2 took back: the activity is `Cancelled` then, and not `Failed`."""

NO_LAUNCH: Final = "Terminating"
"""How activities that end instances are described."""

OTHER_FAMILIES: Final = (("m6i", "m6a", "c6a", "r6i"), ("m6g", "m7g", "c7g", "r7g"))
"""For x86 and for Graviton."""


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read what the environments' autoscaling groups did in the last half an hour."""
    if not evidence.ec2_environments:
        return evidence
    groups, reading = reader.read_pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "NextToken")
    if reading.error:
        return replace(evidence, launches=Fact(reading.source, reading.at, error=reading.error))
    starts = tuple(f"AWSBatch-{one.name}-asg-" for one in evidence.ec2_environments)
    names = [one["AutoScalingGroupName"] for one in groups if one["AutoScalingGroupName"].startswith(starts)]
    if not names:
        return replace(evidence, launches=Fact(reading.source, reading.at))
    readings = [_read_activities(reader, name) for name in names]
    error = next((one.error for one in readings if one.error), "")
    last = readings[-1]
    value = None if error else _count_launches(_recent(readings, evidence.now))
    return replace(evidence, launches=Fact(last.source, last.at, value, error))


def assess(evidence: Evidence, launches: Launches | None) -> Assessment:
    """Failed launches are a failure when none succeeded beside them."""
    if launches is None:
        return unknown("no autoscaling group of the environments was found")
    desired = sum(one.desired_vcpus or 0 for one in evidence.ec2_environments)
    if launches.failures:
        text = f"{launches.failures} launches failed in the last 30 min: {launches.last_failure}"
        some_succeeded = launches.successes > 0
        return warned(text) if some_succeeded else failed(text, _explain_failure(evidence, launches.last_failure))
    if launches.under_way:
        return passed(f"{launches.under_way} launches under way", _starting(evidence))
    if not desired:
        return warned("AWS Batch has not asked for instances: desiredvCpus is 0", _not_requested(evidence))
    return passed(f"{launches.successes} launches in the last 30 min, none failed")


def _explain_failure(evidence: Evidence, message: str) -> Cause:
    if any(part in message for part in NO_QUOTA):
        text = f"EC2 refuses instances because the account's vCPU quota is used up: {message}"
        quotas = (evidence.quotas.value or ()) if evidence.quotas is not None else ()
        todo = tuple(remedies.raise_quota(evidence, one, 2 * math.ceil(one.limit)) for one in quotas)
        return Cause(
            kind=VerdictKind.BLOCKED,
            verdict="blocked by the account's quota",
            text=text,
            remedies=todo,
            settles=False,
        )
    if any(part in message for part in NO_CAPACITY):
        return _no_capacity(
            evidence, f"EC2 has no capacity for the instances that are asked for: {message.rstrip('.')}"
        )
    if any(part in message for part in NO_KEY):
        return _no_key(evidence, message)
    text = f"EC2 refuses to start instances: {message}"
    todo = remedies.describe_environments(evidence, evidence.ec2_environments)
    return Cause(kind=VerdictKind.BLOCKED, verdict="instances can't be launched", text=text, remedies=todo, passes=True)


def _no_key(evidence: Evidence, message: str) -> Cause:
    text = (
        "EC2 ends instances as they start. Mostly the KMS key of their disks is not enabled, or its own policy doesn't "
        f"let AWSServiceRoleForAutoScaling use it, and for Spot AWSServiceRoleForEC2Spot: {message}"
    )
    todo = (remedies.let_launches_use_key(evidence),)
    return Cause(kind=VerdictKind.BLOCKED, verdict="blocked by the disks' KMS key", text=text, remedies=todo)


def _no_capacity(evidence: Evidence, text: str) -> Cause:
    todo = (*capacity_remedies(evidence), remedies.limit_waiting(evidence, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"))
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="blocked by capacity",
        text=f"{text}. {describe_choice(evidence)}",
        remedies=todo,
        passes=True,
    )


def capacity_remedies(evidence: Evidence) -> tuple[Remedy, ...]:
    """More kinds of instances and more zones against missing capacity: each pair of them is a pool of its own."""
    types = [
        remedies.add_instance_types(evidence, one, _other_families(evidence), "more kinds of instances")
        for one in evidence.ec2_environments[:1]
    ]
    return (*types, *remedies.add_zones(evidence))


def describe_choice(evidence: Evidence) -> str:
    """Sentence on how much EC2 has to choose from; empty while it is not known."""
    types = (evidence.instance_types.value or ()) if evidence.instance_types is not None else ()
    zones = {zone for one in types for zone in one.zones}
    if not zones:
        return ""
    return f"It may choose among {len(types)} instance types in {len(zones)} zones."


def _other_families(evidence: Evidence) -> tuple[str, ...]:
    types = (evidence.instance_types.value or ()) if evidence.instance_types is not None else ()
    arm = any("arm64" in one.architectures for one in types)
    allowed = {name for one in evidence.ec2_environments for name in one.instance_types}
    return tuple(name for name in OTHER_FAMILIES[arm] if name not in allowed)


def _starting(evidence: Evidence) -> Cause:
    text = f"Instances are being started; the job has waited for {format_duration(evidence.waited_s)}."
    return Cause(kind=VerdictKind.PROGRESSING, verdict="instances are starting", text=text, settles=False, passes=True)


def _not_requested(evidence: Evidence) -> Cause:
    text = (
        "AWS Batch has not asked for instances. It takes a minute or two to do so; when it lasts, its service role "
        "may lack permissions, or the job fits nothing that the environments may start."
    )
    return Cause(
        kind=VerdictKind.SUSPECTED,
        verdict="no instances are asked for",
        text=text,
        remedies=remedies.describe_environments(evidence, evidence.ec2_environments),
        settles=False,
        passes=True,
    )


def _read_activities(reader: Reader, group: str) -> Reading:
    newest = {"AutoScalingGroupName": group, "MaxRecords": 20}
    return reader.read("autoscaling", "describe_scaling_activities", **newest)


def _recent(readings: Sequence[Reading], now: float) -> list[Document]:
    found = [one for reading in readings for one in reading.answer.get("Activities", ())]
    launches = [one for one in found if not str(one.get("Description", "")).startswith(NO_LAUNCH)]
    return [one for one in launches if now - _started(one) < RECENT_S]


def _count_launches(activities: Sequence[Document]) -> Launches:
    failed = sorted(filter(_has_failed, activities), key=_started)
    last = failed[-1] if failed else None
    return Launches(
        under_way=sum(1 for one in activities if one.get("StatusCode") not in ENDED),
        successes=sum(1 for one in activities if one.get("StatusCode") == "Successful"),
        failures=len(failed),
        last_failure="" if last is None else str(last.get("StatusMessage") or last.get("Description", "")),
    )


def _has_failed(activity: Document) -> bool:
    taken_back = activity.get("StatusCode") == "Cancelled" and ENDED_AT_START in activity.get("StatusMessage", "")
    return taken_back or activity.get("StatusCode") == "Failed"


def _started(activity: Document) -> float:
    started: datetime = activity["StartTime"]
    return started.timestamp()
