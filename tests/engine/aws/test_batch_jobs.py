"""One parser of Batch's job documents, and one client that pages ListJobs and DescribeJobs."""

from __future__ import annotations

from typing import Any

from engine.aws.batch_jobs import BatchJob, JobsClient, children_in_state, jobs_named
from engine.aws.batch_states import BatchState


def job(status: str = "RUNNING", **more: Any) -> BatchJob:
    return BatchJob.parse({"jobId": "job", "status": status, **more})


def test_what_a_document_does_not_tell_is_empty() -> None:
    told_nothing = job()
    assert (told_nothing.name, told_nothing.status_reason, told_nothing.log_stream) == ("", "", "")
    assert (told_nothing.exit_code, told_nothing.vcpus, told_nothing.index) == (None, None, None)
    assert (told_nothing.attempts, told_nothing.attempts_allowed, told_nothing.children) == ((), 1, {})


def test_an_array_that_is_not_counted_yet_is_in_its_parents_state() -> None:
    assert job("PENDING", arrayProperties={"statusSummary": {"RUNNABLE": 0}}).states(5) == {BatchState.PENDING: 5}


def test_an_array_has_started_when_some_child_has() -> None:
    counts = {"RUNNABLE": 3, "STARTING": 0}
    assert not job("PENDING", arrayProperties={"statusSummary": counts}).has_started
    assert job("PENDING", arrayProperties={"statusSummary": {**counts, "SUCCEEDED": 1}}).has_started


def test_between_two_attempts_the_last_ones_container_counts() -> None:
    attempts = [{"container": {"exitCode": 5}}, {"container": {"exitCode": 6, "logStreamName": "last"}}]
    read = job("RUNNABLE", container={"exitCode": None}, attempts=attempts)
    assert (read.exit_code, read.log_stream, read.attempts_ended) == (6, "last", 2)


def test_requirements_count_before_the_older_fields() -> None:
    requirements = [{"type": "VCPU", "value": "0.25"}]
    read = job(container={"vcpus": 4, "memory": 512, "resourceRequirements": requirements})
    assert (read.vcpus, read.memory_mib, read.gpus) == (0.25, 512, None)


def test_a_listing_by_state_names_the_state_that_its_summaries_lack() -> None:
    assert BatchJob.parse({"jobId": "job"}, "FAILED").state is BatchState.FAILED


class PagedAws:
    """Answers ListJobs with pages of one job each, and DescribeJobs with every id that it is asked for."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.requests: list[dict[str, Any]] = []

    async def call(self, api: Any, *, tries: int | None = None, **arguments: Any) -> dict[str, Any]:
        self.requests.append(arguments)
        if api.name == "DescribeJobs":
            return {"jobs": [{"jobId": job_id, "status": "RUNNING"} for job_id in arguments["jobs"]]}
        page = int(arguments.get("nextToken", 0))
        more = {"nextToken": str(page + 1)} if page + 1 < self.pages else {}
        return {"jobSummaryList": [{"jobId": f"job-{page}", "status": "RUNNING"}], **more}


def client(pages: int = 1) -> tuple[JobsClient, PagedAws]:
    aws = PagedAws(pages)
    return JobsClient(aws), aws  # type: ignore[arg-type]


async def test_pages_are_followed_to_the_last() -> None:
    jobs, aws = client(pages=3)
    found = [one.job_id async for page in jobs.pages(jobs_named("queue", "wm_*")) for one in page]
    assert (found, len(aws.requests)) == (["job-0", "job-1", "job-2"], 3)


async def test_the_first_page_is_one_call() -> None:
    jobs, aws = client(pages=3)
    found = await jobs.first_page(children_in_state("array", BatchState.RUNNING))
    assert ([one.job_id for one in found], len(aws.requests)) == (["job-0"], 1)


async def test_jobs_are_described_a_hundred_a_call() -> None:
    jobs, aws = client()
    found = await jobs.describe([str(number) for number in range(201)])
    assert (len(found), [len(request["jobs"]) for request in aws.requests]) == (201, [100, 100, 1])
