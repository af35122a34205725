"""Where the job stands in its queue, and what the job at the head says when it is another one.

https://docs.aws.amazon.com/batch/latest/APIReference/API_GetJobQueueSnapshot.html: the first hundred RUNNABLE jobs.
"""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis.evidence import Evidence, Fact, QueuePosition
from engine.diagnosis.probes.job import describe, id_of
from engine.diagnosis.reads import Reader


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    job = evidence.known_job
    if job is None or job.status != "RUNNABLE":
        return evidence
    reading = reader.read("batch", "get_job_queue_snapshot", jobQueue=evidence.queue_name)
    if reading.trouble:
        return replace(evidence, place=Fact(reading.source, reading.at, trouble=reading.trouble))
    front = reading.answer.get("frontOfQueue", {}).get("jobs", [])
    ids = [id_of(one["jobArn"]) for one in front]
    head = ids[0] if ids and ids[0] != job.id else ""
    blocking = describe(reader, head).value if head else None
    position = ids.index(job.id) + 1 if job.id in ids else None
    place = QueuePosition(
        position=position,
        waiting=len(ids),
        since=front[position - 1].get("earliestTimeAtPosition", 0) / 1000 if position else None,
        head=head,
        head_reason=blocking.reason if blocking is not None else "",
    )
    return replace(evidence, place=Fact(reading.source, reading.at, place))
