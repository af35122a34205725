"""HTTP API of AWS Batch: routes a call to the part that answers it.

Every call is `POST /v1/<name in lower case>` with JSON both ways; tags are `/v1/tags/<arn>`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, unquote

import msgspec

from provisioner.local.batch import views
from provisioner.local.batch.control_plane.resources import Resources
from provisioner.local.batch.errors import BatchError, client_error
from provisioner.local.batch.jobs import submit
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.batch.jobs.listing import list_jobs
from provisioner.local.batch.records import JobSpec, LocalJob, new_id
from provisioner.local.batch.requests import JOB_ID, MAX_ENDINGS, MAX_RESULTS, Json, arn_of, required, short_name
from provisioner.local.http.server import HttpRequest, HttpResponse

TAGS: Final = "/v1/tags/"
TAG_CALLS: Final = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}


class BatchApi:
    """Answers one request at a time, under the lifecycle's lock."""

    def __init__(self, lifecycle: Lifecycle, resources: Resources, region: str) -> None:
        self._lifecycle = lifecycle
        self._resources = resources
        self._region = region
        calls: dict[str, Callable[[Json], Json]] = {
            "SubmitJob": self._submit_job,
            "DescribeJobs": self._describe_jobs,
            "ListJobs": lambda request: list_jobs(lifecycle, resources, request),
            "TerminateJob": self._terminate_job,
            "CancelJob": self._cancel_job,
            "TerminateJobs": lambda request: self._end_many(request, self._terminate_job),
            "CancelJobs": lambda request: self._end_many(request, self._cancel_job),
            "GetJobQueueSnapshot": resources.queues.snapshot,
            "CreateComputeEnvironment": resources.environments.create,
            "UpdateComputeEnvironment": resources.environments.update,
            "DeleteComputeEnvironment": resources.environments.delete,
            "DescribeComputeEnvironments": resources.environments.describe,
            "CreateJobQueue": resources.queues.create,
            "UpdateJobQueue": resources.queues.update,
            "DeleteJobQueue": resources.queues.delete,
            "DescribeJobQueues": resources.queues.describe,
            "RegisterJobDefinition": resources.definitions.register,
            "DeregisterJobDefinition": resources.definitions.deregister,
            "DescribeJobDefinitions": resources.definitions.describe,
        }
        self._calls = {f"/v1/{name.lower()}": (name, call) for name, call in calls.items()}

    def name_of(self, request: HttpRequest) -> str:
        """The call's name as AWS writes it; the path when there is no such call."""
        if request.path.startswith(TAGS):
            return TAG_CALLS.get(request.method, request.method)
        found = self._calls.get(request.path)
        return found[0] if found else request.path

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return answer(200, self._dispatch(request))
        except BatchError as error:
            return answer(error.status, {"message": str(error)}, error.code)

    def _dispatch(self, request: HttpRequest) -> Json:
        if request.path.startswith(TAGS):
            with self._lifecycle.lock:
                return self._tags(request)
        if request.path not in self._calls:
            raise client_error(f"The local AWS does not play Batch's {request.path}.")
        if request.path == "/v1/submitjob":
            submit.check_size(request.body)
        arguments = msgspec.json.decode(request.body or b"{}")
        with self._lifecycle.lock:
            self._lifecycle.forget_old()
            return self._calls[request.path][1](arguments)

    def _submit_job(self, request: Json) -> Json:
        queue = self._resources.queues.find(required(request, "jobQueue"))
        if queue.state != "ENABLED":
            raise client_error(f"Cannot submit job: job queue {queue.name} is not ENABLED.")
        definition = self._resources.definitions.find(required(request, "jobDefinition"))
        if definition.status != "ACTIVE":
            raise client_error(f"JobDefinition {definition.arn} does not exist or is not in ACTIVE status")
        submit.check_share(request, queue, definition)
        spec = submit.make_spec(request, queue, definition)
        job = self._new_job(spec, submit.array_size(request))
        self._lifecycle.submit(job)
        return {"jobArn": job.arn, "jobName": spec.name, "jobId": job.id}

    def _new_job(self, spec: JobSpec, size: int | None) -> LocalJob:
        job_id, now = new_id(), self._lifecycle.clock.now_ms()
        arn = arn_of(self._region, "job", job_id)
        job = LocalJob(spec, job_id, arn, now)
        if size is not None:
            job.children = [
                LocalJob(spec, f"{job_id}:{index}", f"{arn}:{index}", now, parent=job, index=index)
                for index in range(size)
            ]
        return job

    def _describe_jobs(self, request: Json) -> Json:
        ids = request.get("jobs", ())
        if len(ids) > MAX_RESULTS:
            raise client_error(f"At most {MAX_RESULTS} jobs can be described, got {len(ids)}.")
        found = [self._lifecycle.find(short_name(job_id)) for job_id in ids]
        return {"jobs": [views.job_detail(job, self._lifecycle.seen_summary(job)) for job in found if job is not None]}

    def _terminate_job(self, request: Json) -> Json:
        job, reason = self._ending(request)
        if job is not None:
            self._lifecycle.terminate(job, reason)
        return {}

    def _cancel_job(self, request: Json) -> Json:
        job, reason = self._ending(request)
        if job is not None:
            self._lifecycle.cancel(job, reason)
        return {}

    def _end_many(self, request: Json, end_one: Callable[[Json], Json]) -> Json:
        """TerminateJobs, CancelJobs: 200 whatever becomes of each id; one that is unknown counts as done.

        https://docs.aws.amazon.com/batch/latest/APIReference/API_TerminateJobs.html
        """
        ids, reason = request.get("jobs") or (), required(request, "reason")
        if not 1 <= len(ids) <= MAX_ENDINGS:
            raise client_error(f"From 1 to {MAX_ENDINGS} jobs can be ended at once, got {len(ids)}.")
        successful, errors = [], []
        for job_id in ids:
            if not JOB_ID.fullmatch(short_name(job_id)):
                errors.append({"job": job_id, "code": "ValidationException", "message": f"{job_id!r} is no job id."})
                continue
            try:
                end_one({"jobId": job_id, "reason": reason})
                successful.append(job_id)
            except BatchError as error:
                errors.append({"job": job_id, "code": error.code, "message": str(error)})
        return {"successful": successful, "errors": errors}

    def _ending(self, request: Json) -> tuple[LocalJob | None, str]:
        job = self._lifecycle.find(short_name(required(request, "jobId")))
        return job, required(request, "reason")

    def _tags(self, request: HttpRequest) -> Json:
        arn = unquote(request.path.removeprefix(TAGS))
        if request.method == "GET":
            return {"tags": self._resources.tags(arn)}
        if request.method == "POST":
            self._resources.add_tags(arn, msgspec.json.decode(request.body)["tags"])
        for key in parse_qs(request.query).get("tagKeys", ()):
            self._resources.tags(arn).pop(key, None)
        return {}


def answer(status: int, body: Json, error: str | None = None) -> HttpResponse:
    """A JSON answer; `error` is the code of an error."""
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": new_id()}
    if error is not None:
        headers["x-amzn-ErrorType"] = error
    return HttpResponse(status, headers, msgspec.json.encode(body))
