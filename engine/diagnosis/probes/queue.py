"""The job queue: its state, its status, and the environments behind it."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis.evidence import Evidence, Fact, Queue
from engine.diagnosis.reads import Document, Reader


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    name = evidence.queue_name
    if not name:
        return evidence
    reading = reader.read("batch", "describe_job_queues", jobQueues=[name])
    found = reading.answer.get("jobQueues", [])
    value = queue_of(found[0]) if found else None
    return replace(evidence, queue=Fact(reading.source, reading.at, value, reading.trouble))


def queue_of(document: Document) -> Queue:
    order = sorted(document.get("computeEnvironmentOrder", ()), key=lambda one: int(one["order"]))
    return Queue(
        name=document["jobQueueName"],
        arn=document["jobQueueArn"],
        state=document.get("state", ""),
        status=document.get("status", ""),
        reason=document.get("statusReason") or "",
        environments=tuple(one["computeEnvironment"] for one in order),
    )
