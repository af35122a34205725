"""What the environments' autoscaling groups did lately.

AWS Batch names a group `AWSBatch-<environment>-asg-<uuid>`; environments of the older BEST_FIT strategy have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from engine.diagnosis.evidence import Evidence, Fact, Launches
from engine.diagnosis.reads import Document, Reader, Reading

RECENT_S: Final = 1800.0
ENDED: Final = ("Successful", "Failed", "Cancelled")


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    if not evidence.launching:
        return evidence
    groups, reading = reader.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "NextToken")
    if reading.trouble:
        return replace(evidence, launches=Fact(reading.source, reading.at, trouble=reading.trouble))
    starts = tuple(f"AWSBatch-{one.name}-asg-" for one in evidence.launching)
    names = [one["AutoScalingGroupName"] for one in groups if one["AutoScalingGroupName"].startswith(starts)]
    if not names:
        return replace(evidence, launches=Fact(reading.source, reading.at))
    readings = [_activities(reader, name) for name in names]
    trouble = next((one.trouble for one in readings if one.trouble), "")
    last = readings[-1]
    value = None if trouble else _launches(_recent(readings, evidence.now))
    return replace(evidence, launches=Fact(last.source, last.at, value, trouble))


def _activities(reader: Reader, group: str) -> Reading:
    asked = {"AutoScalingGroupName": group, "MaxRecords": 20}
    return reader.read("autoscaling", "describe_scaling_activities", **asked)


def _recent(readings: Sequence[Reading], now: float) -> list[Document]:
    found = [one for reading in readings for one in reading.answer.get("Activities", ())]
    return [one for one in found if now - _started(one) < RECENT_S]


def _launches(activities: Sequence[Document]) -> Launches:
    failed = sorted((one for one in activities if one.get("StatusCode") == "Failed"), key=_started)
    last = failed[-1] if failed else None
    return Launches(
        under_way=sum(1 for one in activities if one.get("StatusCode") not in ENDED),
        successes=sum(1 for one in activities if one.get("StatusCode") == "Successful"),
        failures=len(failed),
        last_failure="" if last is None else str(last.get("StatusMessage") or last.get("Description", "")),
    )


def _started(activity: Document) -> float:
    started: datetime = activity["StartTime"]
    return started.timestamp()
