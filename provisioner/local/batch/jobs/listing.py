"""ListJobs: newest first, by queue or array, by state or filters, a page at a time.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from engine.aws.batch_states import BatchState
from provisioner.local.batch.control_plane.resources import Resources
from provisioner.local.batch.errors import client_error
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.batch.records import LocalJob, LocalView
from provisioner.local.batch.requests import required
from provisioner.local.batch.views import job_summary

PAGE: Final = 1000
FILTERED_PAGE: Final = 100
Test = Callable[[LocalJob], bool]


def list_jobs(lifecycle: Lifecycle, resources: Resources, request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ListJobs. Raises `BatchError`."""
    filters = request.get("filters", ())
    limit = min(int(request.get("maxResults") or PAGE), FILTERED_PAGE if filters else PAGE)
    view = LocalView.LISTING if request.get("arrayJobId") is None else LocalView.CHILDREN
    tests = [filter_test(one) for one in filters]
    wanted = None if filters else wanted_state(request)
    candidates = jobs_of(lifecycle, resources, request)
    after = position(request.get("nextToken"))
    fitting = (
        job for job in candidates if job.sequence < after and not job.vanished and all(test(job) for test in tests)
    )
    shown = ((job, lifecycle.seen(job, view)) for job in fitting)
    matching = ((job, state) for job, state in shown if state is not None and wanted in (None, state))
    page = [one for one, _ in zip(matching, range(limit + 1), strict=False)]
    answer: dict[str, Any] = {"jobSummaryList": [job_summary(job, state) for job, state in page[:limit]]}
    if len(page) > limit:
        answer["nextToken"] = str(page[limit - 1][0].sequence)
    return answer


def jobs_of(lifecycle: Lifecycle, resources: Resources, request: Mapping[str, Any]) -> Iterable[LocalJob]:
    """Candidates, newest first: an array's children, or a queue's top-level jobs."""
    array_id = request.get("arrayJobId")
    if array_id is None:
        return reversed(resources.queues.find(required(request, "jobQueue")).jobs.values())
    parent = lifecycle.find(array_id)
    if parent is None or parent.children is None:
        raise client_error(f"arrayJobId {array_id} is not a known array job.")
    return reversed(parent.children)


def position(token: str | None) -> float:
    """Sequence number before which a page goes on; infinite for the first one."""
    if token is None:
        return float("inf")
    if not token.isdecimal():
        raise client_error("Invalid nextToken.")
    return int(token)


def wanted_state(request: Mapping[str, Any]) -> BatchState:
    """The state of a request without filters: without one AWS lists what is RUNNING. Raises `BatchError`."""
    status = request.get("jobStatus") or BatchState.RUNNING
    if status not in tuple(BatchState):
        raise client_error(f"jobStatus must be one of {', '.join(BatchState)}, got {status}.")
    return BatchState(status)


def filter_test(given: Mapping[str, Any]) -> Test:
    """Test for one filter of the request. Raises `BatchError` for one that Batch doesn't have."""
    name, values = given.get("name"), [str(value) for value in given.get("values", ())]
    if name == "JOB_NAME":
        return lambda job: any(name_fits(value, job.spec.name) for value in values)
    if name == "JOB_DEFINITION":
        return lambda job: any(name_fits(value, definition_name(job)) for value in values)
    if name == "BEFORE_CREATED_AT":
        return lambda job: job.created_at < int(values[0])
    if name == "AFTER_CREATED_AT":
        return lambda job: job.created_at > int(values[0])
    raise client_error(f"Unknown filter {name}.")


def definition_name(job: LocalJob) -> str:
    """Name and revision of the job's definition."""
    return f"{job.spec.definition.name}:{job.spec.definition.revision}"


def name_fits(pattern: str, name: str) -> bool:
    """A final `*` matches any rest; AWS ignores case here."""
    if pattern.endswith("*"):
        return name.lower().startswith(pattern[:-1].lower())
    return name.lower() == pattern.lower()
