"""The calls of AWS Batch: which exist, what each takes, and their answers and errors as HTTP.

Every call is `POST /v1/<name in lower case>` with JSON both ways; tags are `/v1/tags/<arn>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from provisioner.local.batch import submit, views
from provisioner.local.batch.errors import BatchError, client_error
from provisioner.local.batch.lifecycle import Lifecycle
from provisioner.local.batch.listing import list_jobs
from provisioner.local.batch.records import Definition, Environment, Job, JobSpec, Queue, new_id
from provisioner.local.batch.resources import ACCOUNT, Resources, required
from provisioner.local.http_server import Request, Response

MAX_DESCRIBED = 100
TAGS = "/v1/tags/"
TAG_CALLS = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}
Json = dict[str, Any]


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
            "GetJobQueueSnapshot": self._queue_snapshot,
            "CreateComputeEnvironment": resources.create_environment,
            "UpdateComputeEnvironment": resources.update_environment,
            "DeleteComputeEnvironment": resources.delete_environment,
            "DescribeComputeEnvironments": self._describe_environments,
            "CreateJobQueue": resources.create_queue,
            "UpdateJobQueue": resources.update_queue,
            "DeleteJobQueue": resources.delete_queue,
            "DescribeJobQueues": self._describe_queues,
            "RegisterJobDefinition": resources.register_definition,
            "DeregisterJobDefinition": resources.deregister_definition,
            "DescribeJobDefinitions": self._describe_definitions,
        }
        self._calls = {f"/v1/{name.lower()}": (name, call) for name, call in calls.items()}

    def name_of(self, request: Request) -> str:
        """The call's name as AWS writes it; the path when there is no such call."""
        if request.path.startswith(TAGS):
            return TAG_CALLS.get(request.method, request.method)
        found = self._calls.get(request.path)
        return found[0] if found else request.path

    def __call__(self, request: Request) -> Response:
        try:
            return answer(200, self._dispatch(request))
        except BatchError as error:
            return answer(error.status, {"message": str(error)}, error.code)

    def _dispatch(self, request: Request) -> Json:
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
        queue = self._resources.queue(required(request, "jobQueue"))
        if queue.state != "ENABLED":
            raise client_error(f"Cannot submit job: job queue {queue.name} is not ENABLED.")
        definition = self._resources.definition(required(request, "jobDefinition"))
        if definition.status != "ACTIVE":
            raise client_error(f"Job definition {definition.arn} is not ACTIVE.")
        spec = submit.make_spec(request, queue, definition)
        job = self._new_job(spec, submit.array_size(request))
        self._lifecycle.submit(job)
        return {"jobArn": job.arn, "jobName": spec.name, "jobId": job.id}

    def _new_job(self, spec: JobSpec, size: int | None) -> Job:
        job_id, now = new_id(), self._lifecycle.clock.now_ms()
        arn = f"arn:aws:batch:{self._region}:{ACCOUNT}:job/{job_id}"
        job = Job(spec, job_id, arn, now)
        if size is not None:
            job.children = [
                Job(spec, f"{job_id}:{index}", f"{arn}:{index}", now, parent=job, index=index) for index in range(size)
            ]
        return job

    def _describe_jobs(self, request: Json) -> Json:
        ids = request.get("jobs", ())
        if len(ids) > MAX_DESCRIBED:
            raise client_error(f"At most {MAX_DESCRIBED} jobs can be described, got {len(ids)}.")
        found = [self._lifecycle.find(short_id(job_id)) for job_id in ids]
        return {"jobs": [views.job_detail(job) for job in found if job is not None]}

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

    def _ending(self, request: Json) -> tuple[Job | None, str]:
        job = self._lifecycle.find(short_id(required(request, "jobId")))
        return job, required(request, "reason")

    def _queue_snapshot(self, request: Json) -> Json:
        queue = self._resources.queue(required(request, "jobQueue"))
        front = [
            {"jobArn": job.arn, "earliestTimeAtPosition": job.created_at}
            for job in list(queue.waiting)[:MAX_DESCRIBED]
            if job.status == "RUNNABLE"
        ]
        now = self._lifecycle.clock.now_ms()
        return {"frontOfQueue": {"jobs": front, "lastUpdatedAt": now}}

    def _describe_environments(self, request: Json) -> Json:
        wanted = request.get("computeEnvironments")
        known = self._resources.environments
        details = [views.environment_detail(known[name]) for name in chosen(wanted, known)]
        return page(request, "computeEnvironments", details)

    def _describe_queues(self, request: Json) -> Json:
        wanted = request.get("jobQueues")
        known = self._resources.queues
        details = [views.queue_detail(known[name]) for name in chosen(wanted, known)]
        return page(request, "jobQueues", details)

    def _describe_definitions(self, request: Json) -> Json:
        known = [one for revisions in self._resources.definitions.values() for one in revisions]
        wanted = {short_id(name) for name in request.get("jobDefinitions", ())}
        name, status = short_id(request.get("jobDefinitionName", "")), request.get("status")
        found = [
            one
            for one in known
            if (not wanted or {one.name, f"{one.name}:{one.revision}"} & wanted)
            and name in ("", one.name)
            and status in (None, one.status)
        ]
        details = [views.definition_detail(one) for one in reversed(found)]
        return page(request, "jobDefinitions", details)

    def _tags(self, request: Request) -> Json:
        thing = self._tagged(unquote(request.path.removeprefix(TAGS)))
        tags: dict[str, str] = thing.request.setdefault("tags", {})
        if request.method == "GET":
            return {"tags": tags}
        if request.method == "POST":
            tags.update(msgspec.json.decode(request.body)["tags"])
        for key in parse_qs(request.query).get("tagKeys", ()):
            tags.pop(key, None)
        return {}

    def _tagged(self, arn: str) -> Environment | Queue | Definition:
        kind = arn.rpartition(":job-definition/")[1] or arn.rpartition("/")[0].rpartition(":")[2]
        if kind == "compute-environment":
            return self._resources.environment(arn)
        if kind == "job-queue":
            return self._resources.queue(arn)
        return self._resources.definition(arn)


def short_id(id_or_arn: str) -> str:
    return id_or_arn.rpartition("/")[2]


def chosen(wanted: list[str] | None, known: Mapping[str, object]) -> list[str]:
    """AWS leaves out what it does not know."""
    if not wanted:
        return list(known)
    return [short_id(name) for name in wanted if short_id(name) in known]


def page(request: Json, key: str, details: list[Json]) -> Json:
    start = int(request.get("nextToken") or 0)
    end = start + int(request.get("maxResults") or MAX_DESCRIBED)
    answer: Json = {key: details[start:end]}
    if end < len(details):
        answer["nextToken"] = str(end)
    return answer


def answer(status: int, body: Json, error: str | None = None) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": new_id()}
    if error is not None:
        headers["x-amzn-ErrorType"] = error
    return Response(status, headers, msgspec.json.encode(body))
