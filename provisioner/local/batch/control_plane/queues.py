"""Job queues: make, change, delete, find, in Batch's order and with its delays.

https://docs.aws.amazon.com/batch/latest/userguide/job_queue_parameters.html
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from engine.aws.batch_states import BatchState
from provisioner.local.batch import views
from provisioner.local.batch.account import Account
from provisioner.local.batch.control_plane import queue_rules
from provisioner.local.batch.control_plane.background import Background
from provisioner.local.batch.control_plane.environments import Environments
from provisioner.local.batch.errors import client_error
from provisioner.local.batch.records import LocalEnvironment, LocalQueue
from provisioner.local.batch.requests import (
    MAX_RESULTS,
    Json,
    arn_of,
    check_settled,
    chosen,
    new_name,
    page,
    required,
    short_name,
    state_of,
)
from provisioner.local.options import Span, drawn

HEALTHY: Final = "JobQueue Healthy"
CHANGEABLE: Final = ("priority", "jobStateTimeLimitActions", "schedulingPolicyArn", "computeEnvironmentOrder")


class Queues:
    """Registry of job queues. `by_name` is the lifecycle's; methods want its lock held."""

    def __init__(
        self,
        region: str,
        background: Background,
        account: Account,
        environments: Environments,
        by_name: dict[str, LocalQueue],
        delay: Span,
        chance: Random,
    ) -> None:
        self.by_name = by_name
        self._region = region
        self._background = background
        self._account = account
        self._environments = environments
        self._delay = delay
        self._chance = chance

    def create(self, request: Json) -> Json:
        """Answer CreateJobQueue. Raises `BatchError`."""
        name = new_name(request, "jobQueueName", self.by_name)
        state = state_of(request, "ENABLED")
        self._check(request)
        queue = LocalQueue(name, arn_of(self._region, "job-queue", name), request, state, self._ordered(request))
        self.by_name[name] = queue
        self._later(lambda: self._settle(queue))
        return answer(queue)

    def update(self, request: Json) -> Json:
        """Answer UpdateJobQueue. Raises `BatchError`."""
        queue = self.find(required(request, "jobQueue"))
        check_settled(queue.status, "update")
        state = state_of(request, queue.state)
        self._check(request)
        if "computeEnvironmentOrder" in request:
            before, queue.environments = queue.environments, self._ordered(request)
            queue.leaving = [one for one in before if one not in queue.environments]
        queue.request.update({field: request[field] for field in CHANGEABLE if field in request})
        queue.state, queue.status = state, "UPDATING"
        self._later(lambda: self._settle(queue))
        return answer(queue)

    def delete(self, request: Json) -> Json:
        """Its jobs end with it."""
        queue = self.find(required(request, "jobQueue"))
        check_settled(queue.status, "delete")
        if queue.state != "DISABLED":
            raise client_error(f"Cannot delete, resource must be disabled first: {queue.name}")
        queue.status = "DELETING"
        self._background.end_jobs(list(queue.jobs), "Job queue deleted")
        self._later(lambda: self.by_name.pop(queue.name))
        return {}

    def describe(self, request: Json) -> Json:
        """Answer DescribeJobQueues."""
        found = chosen(request.get("jobQueues"), self.by_name)
        return page(request, "jobQueues", [views.queue_detail(one) for one in found])

    def snapshot(self, request: Json) -> Json:
        """The first 100 RUNNABLE jobs of a queue that goes first in, first out."""
        queue = self.find(required(request, "jobQueue"))
        runnable = [job for job in queue.waiting if job.status is BatchState.RUNNABLE]
        jobs = [{"jobArn": job.arn, "earliestTimeAtPosition": job.created_at} for job in runnable[:MAX_RESULTS]]
        return {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": self._background.now_ms()}}

    def find(self, name_or_arn: str) -> LocalQueue:
        """The queue of that name or ARN. Raises `BatchError` when there is none."""
        found = self.by_name.get(short_name(name_or_arn))
        if found is None:
            raise client_error(f"JobQueue {name_or_arn} not found.")
        return found

    def _later(self, action: Callable[[], object]) -> None:
        self._background.later(drawn(self._delay, self._chance), action)

    def _check(self, request: Json) -> None:
        queue_rules.check_priority(request)
        queue_rules.check_limits(request.get("jobStateTimeLimitActions", ()))

    def _ordered(self, request: Json) -> list[LocalEnvironment]:
        order = sorted(request.get("computeEnvironmentOrder", ()), key=lambda one: int(one["order"]))
        environments = [self._environments.find(one["computeEnvironment"]) for one in order]
        queue_rules.check_environments(environments, self._account)
        return environments

    def _settle(self, queue: LocalQueue) -> None:
        queue.status, queue.status_reason, queue.leaving = "VALID", HEALTHY, []


def answer(queue: LocalQueue) -> Json:
    """The answer to a call that makes or changes a queue."""
    return {"jobQueueName": queue.name, "jobQueueArn": queue.arn}
