"""Job queue: whether it takes jobs and hands them on."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.evidence import Evidence, Fact, Queue
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Document, Reader


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read state, status and environments of the queue that the evidence names."""
    name = evidence.queue_name
    if not name:
        return evidence
    reading = reader.read("batch", "describe_job_queues", jobQueues=[name])
    found = reading.answer.get("jobQueues", [])
    value = _parse_queue(found[0]) if found else None
    return replace(evidence, queue=Fact(reading.source, reading.at, value, reading.error))


def assess(evidence: Evidence, queue: Queue | None) -> Assessment:
    """It is well when it is ENABLED and VALID."""
    if queue is None:
        return _missing(evidence)
    text = f"state={queue.state} status={queue.status}"
    if queue.state != "ENABLED":
        return failed(text, _disabled(evidence, queue))
    if queue.status == "INVALID":
        return failed(f"{text}: {queue.reason}", _invalid(evidence, queue))
    if queue.status not in ("VALID", "UPDATING"):
        return warned(f"{text}: {queue.reason or 'not ready yet'}")
    return passed(text)


def _parse_queue(document: Document) -> Queue:
    order = sorted(document.get("computeEnvironmentOrder", ()), key=lambda one: int(one["order"]))
    return Queue(
        name=document["jobQueueName"],
        arn=document["jobQueueArn"],
        state=document.get("state", ""),
        status=document.get("status", ""),
        reason=document.get("statusReason") or "",
        environments=tuple(one["computeEnvironment"] for one in order),
    )


def _missing(evidence: Evidence) -> Assessment:
    name = evidence.queue_name
    text = f"There is no job queue {name} in this account and region: check the name, the region and the account."
    cause = Cause(kind=VerdictKind.BLOCKED, verdict="the queue does not exist", text=text)
    return failed("AWS Batch does not know it", cause)


def _disabled(evidence: Evidence, queue: Queue) -> Cause:
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="the queue is disabled",
        text=f"Job queue {queue.name} is {queue.state}: it starts none of its jobs until it is ENABLED.",
        remedies=(remedies.enable_queue(evidence),),
    )


def _invalid(evidence: Evidence, queue: Queue) -> Cause:
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="the queue is not valid",
        text=f"Job queue {queue.name} is INVALID: {queue.reason or 'AWS gives no reason'}.",
        remedies=(remedies.describe_queue(evidence),),
    )
