"""Job: the one to diagnose, a waiting child of it when it is an array, or the head of the queue.

It is assessed by AWS's own reason against it, see `engine.diagnosis.reasons`.
"""

from __future__ import annotations

from dataclasses import replace

from engine.aws.batch_jobs import BatchJob
from engine.aws.batch_states import BatchState
from engine.diagnosis.assessment import LASTING_S, Assessment, failed, passed, warned
from engine.diagnosis.evidence import DiagnosedJob, Evidence, Fact
from engine.diagnosis.reads import Document, Reader, Reading
from engine.diagnosis.reasons import explain_reason


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read the job that the evidence names; without one, the head of the queue or else its oldest RUNNABLE job."""
    if evidence.job_id is None:
        reading, job_id = _find_waiting(reader, evidence.queue_name)
        if not job_id:
            return replace(evidence, job=Fact(reading.source, reading.at, None, reading.error))
    else:
        job_id = evidence.job_id
    return replace(evidence, job=_with_waiting_child(reader, describe_job(reader, job_id)))


def assess(evidence: Evidence, job: DiagnosedJob | None) -> Assessment:
    """A reason of AWS's is a failure once it lasts; only the head of a queue has one."""
    if job is None or not job.reason:
        return passed("AWS gives no reason")
    cause = explain_reason(evidence, job.reason)
    return failed(job.reason, cause) if evidence.waited_s >= LASTING_S else warned(job.reason, cause)


def describe_job(reader: Reader, job_id: str) -> Fact[DiagnosedJob]:
    """Read one job by DescribeJobs."""
    reading = reader.read("batch", "describe_jobs", jobs=[job_id])
    found = reading.answer.get("jobs", [])
    return Fact(reading.source, reading.at, parse_job(found[0]) if found else None, reading.error)


def parse_job(document: Document) -> DiagnosedJob:
    """The job of an entry of DescribeJobs; a job definition's container is described alike."""
    job = BatchJob.parse(document)
    return DiagnosedJob(
        id=job.job_id,
        name=job.name,
        status=job.state,
        reason=job.status_reason,
        queue=job.queue,
        definition=job.definition,
        created_at=job.created_at,
        vcpus=job.vcpus,
        memory_mib=_whole(job.memory_mib),
        gpus=_whole(job.gpus) or 0,
        image=job.image,
        depends_on=job.depends_on,
        children=tuple(sorted(job.children.items())),
        pack=job.pack,
        parallel=job.parallel,
        container_reason=job.container_reason,
        exit_code=job.exit_code,
        attempts=job.attempts_ended,
        log_group=job.log_group,
        log_stream=job.log_stream,
    )


def job_id_of(arn: str) -> str:
    """The job id in a job's ARN; a queue's name in a queue's."""
    return arn.rpartition("/")[2]


def _find_waiting(reader: Reader, queue: str) -> tuple[Reading, str]:
    """The snapshot knows arrays' children, which a listing of the queue does not."""
    snapshot = reader.read("batch", "get_job_queue_snapshot", jobQueue=queue)
    if snapshot.error:
        return _find_oldest(reader, queue)
    front = snapshot.answer.get("frontOfQueue", {}).get("jobs", [])
    return (snapshot, job_id_of(front[0]["jobArn"])) if front else _find_oldest(reader, queue)


def _find_oldest(reader: Reader, queue: str) -> tuple[Reading, str]:
    found, reading = reader.read_pages(
        "batch", "list_jobs", "jobSummaryList", jobQueue=queue, jobStatus=BatchState.RUNNABLE
    )
    if not found and not reading.error:
        found, reading = _find_arrays(reader, queue)
    oldest = min(found, key=lambda one: int(one.get("createdAt", 0)), default=None)
    return reading, oldest["jobId"] if oldest is not None else ""


def _find_arrays(reader: Reader, queue: str) -> tuple[list[Document], Reading]:
    """An array's parent shows PENDING while its children wait or run."""
    pending, reading = reader.read_pages(
        "batch", "list_jobs", "jobSummaryList", jobQueue=queue, jobStatus=BatchState.PENDING
    )
    waiting = [one for one in pending if BatchJob.parse(one, BatchState.PENDING).children.get(BatchState.RUNNABLE)]
    return waiting, reading


def _with_waiting_child(reader: Reader, parent: Fact[DiagnosedJob]) -> Fact[DiagnosedJob]:
    job = parent.value
    if job is None or job.status != BatchState.PENDING or not job.children_in(BatchState.RUNNABLE):
        return parent
    listing = {"arrayJobId": job.id, "jobStatus": BatchState.RUNNABLE, "maxResults": 1}
    children = reader.read("batch", "list_jobs", **listing).answer.get("jobSummaryList", [])
    if not children:
        return parent
    child = describe_job(reader, children[0]["jobId"])
    return child if child.value is not None else parent


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
