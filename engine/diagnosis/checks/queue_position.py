"""Whether the job blocks its queue or waits behind others."""

from __future__ import annotations

from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, QueuePosition
from engine.diagnosis.findings import Assessment, Cause, duration, passed, warned

SNAPSHOT_JOBS: Final = 100


def look(evidence: Evidence, place: QueuePosition | None) -> Assessment:
    if place is None or (place.position is None and place.waiting < SNAPSHOT_JOBS):
        return warned("not in the queue's snapshot, which AWS renews every few seconds")
    if place.position == 1:
        return passed(f"at the head for {duration(evidence.waited_s)}")
    before = f"more than {SNAPSHOT_JOBS} jobs" if place.position is None else f"{place.position - 1} before it"
    position = "behind the first hundred" if place.position is None else f"position {place.position}"
    return passed(f"{position}, {before}", _behind(evidence, place, position))


def _behind(evidence: Evidence, place: QueuePosition, position: str) -> Cause:
    head = f"the job at the head, {place.head}"
    reason = (
        f"{head}, is blocked: {place.head_reason}" if place.head_reason else f"{head}, has no reason against its name"
    )
    return Cause(
        verdict="waiting its turn",
        text=f"It is {position} of its queue, and AWS Batch starts the head first; {reason}.",
        remedies=(remedies.diagnose_head(evidence, place.head),) if place.head else (),
    )
