"""Position in the queue: whether the job blocks its queue or waits behind others.

https://docs.aws.amazon.com/batch/latest/APIReference/API_GetJobQueueSnapshot.html: the first hundred RUNNABLE jobs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.aws.batch_states import BatchState
from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, format_duration, passed, warned
from engine.diagnosis.checks.job import describe_job, job_id_of
from engine.diagnosis.evidence import Evidence, Fact, QueuePosition
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Reader

SNAPSHOT_JOBS: Final = 100


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read where a RUNNABLE job stands, and what the job at the head says when it is another one."""
    job = evidence.known_job
    if job is None or job.status != BatchState.RUNNABLE:
        return evidence
    reading = reader.read("batch", "get_job_queue_snapshot", jobQueue=evidence.queue_name)
    if reading.error:
        return replace(evidence, queue_position=Fact(reading.source, reading.at, error=reading.error))
    front = reading.answer.get("frontOfQueue", {}).get("jobs", [])
    ids = [job_id_of(one["jobArn"]) for one in front]
    head = ids[0] if ids and ids[0] != job.id else ""
    blocking = describe_job(reader, head).value if head else None
    position = ids.index(job.id) + 1 if job.id in ids else None
    value = QueuePosition(
        position=position,
        waiting=len(ids),
        since=front[position - 1].get("earliestTimeAtPosition", 0) / 1000 if position else None,
        head=head,
        head_reason=blocking.reason if blocking is not None else "",
    )
    return replace(evidence, queue_position=Fact(reading.source, reading.at, value))


def assess(evidence: Evidence, place: QueuePosition | None) -> Assessment:
    """AWS Batch starts the head first, so a job behind it waits its turn."""
    if place is None or (place.position is None and place.waiting < SNAPSHOT_JOBS):
        return warned("not in the queue's snapshot, which AWS renews every few seconds")
    if place.position == 1:
        return passed(f"at the head for {format_duration(evidence.waited_s)}")
    before = f"more than {SNAPSHOT_JOBS} jobs" if place.position is None else f"{place.position - 1} before it"
    position = "behind the first hundred" if place.position is None else f"position {place.position}"
    return passed(f"{position}, {before}", _behind(evidence, place, position))


def _behind(evidence: Evidence, place: QueuePosition, position: str) -> Cause:
    head = f"the job at the head, {place.head}"
    reason = (
        f"{head}, is blocked: {place.head_reason}" if place.head_reason else f"{head}, has no reason against its name"
    )
    return Cause(
        kind=VerdictKind.WAITING,
        verdict="waiting its turn",
        text=f"It is {position} of its queue, and AWS Batch starts the head first; {reason}.",
        remedies=(remedies.diagnose_head(evidence, place.head),) if place.head else (),
    )
