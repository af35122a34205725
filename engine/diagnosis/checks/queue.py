"""Whether the queue takes jobs and hands them on."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, Queue
from engine.diagnosis.findings import Assessment, Cause, failed, passed, warned


def look(evidence: Evidence, queue: Queue | None) -> Assessment:
    if queue is None:
        return _missing(evidence)
    told = f"state={queue.state} status={queue.status}"
    if queue.state != "ENABLED":
        return failed(told, _disabled(evidence, queue))
    if queue.status == "INVALID":
        return failed(f"{told}: {queue.reason}", _invalid(evidence, queue))
    if queue.status not in ("VALID", "UPDATING"):
        return warned(f"{told}: {queue.reason or 'not ready yet'}")
    return passed(told)


def _missing(evidence: Evidence) -> Assessment:
    name = evidence.queue_name
    text = f"There is no job queue {name} in this account and region: check the name, the region and the account."
    return failed("AWS Batch does not know it", Cause(verdict="the queue does not exist", text=text))


def _disabled(evidence: Evidence, queue: Queue) -> Cause:
    text = f"Job queue {queue.name} is {queue.state}: it starts none of its jobs until it is ENABLED."
    return Cause(verdict="the queue is disabled", text=text, remedies=(remedies.enable_queue(evidence),))


def _invalid(evidence: Evidence, queue: Queue) -> Cause:
    text = f"Job queue {queue.name} is INVALID: {queue.reason or 'AWS gives no reason'}."
    return Cause(verdict="the queue is not valid", text=text, remedies=(remedies.look_at_queue(evidence),))
