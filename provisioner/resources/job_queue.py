"""Job queue, in front of the compute environments: Spot first, where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.aws.batch_states import LIVING, BatchState
from provisioner.clients import Document
from provisioner.export.intrinsics import capitalized
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction, TerminateJobs
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import GONE, READY, SETTLED, ObservedResource, Resource, TemplateResource
from provisioner.resources.waits import wait_for_environment, wait_for_queue
from provisioner.stack.naming import Stack
from provisioner.stack.spec import UNLIMITED, ProvisionSpec

LIMITED_REASONS: Final = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)
"""Reasons for which AWS can be told to cancel a job at the head of the queue:
https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable_time_limit_actions.html"""


class JobQueue(Resource):
    """Job queue of a stack."""

    kind = ResourceKind.JOB_QUEUE
    needs = (ResourceKind.COMPUTE_ENVIRONMENT,)

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.job_queue)

    @property
    def arn(self) -> str:
        """ARN of the queue."""
        return self.stack.arn("batch", f"job-queue/{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI commands that disable and delete the queue."""
        where = f"--job-queue {self.name} --region {self.stack.region}"
        return f"aws batch update-job-queue {where} --state DISABLED; aws batch delete-job-queue {where}"

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Queue with its environments in their order, and AWS Batch's status of it."""
        entries = remote.list("batch", "describe_job_queues", "jobQueues", jobQueues=[self.name])
        found = next((entry for entry in entries if entry["status"] != "DELETED"), None)
        if found is None:
            return None
        order = sorted(found["computeEnvironmentOrder"], key=lambda one: int(one["order"]))
        environments = [one["computeEnvironment"] for one in order]
        names = ", ".join(arn.rpartition("/")[2] for arn in environments)
        properties = {
            "tags": self.stack.ours_of(found.get("tags", {})),
            "state": found["state"],
            "computeEnvironmentOrder": environments,
            "jobStateTimeLimitActions": found.get("jobStateTimeLimitActions", []),
        }
        return ObservedResource(properties, found["status"], f"order {names}")

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Enabled queue: the Spot environment first where there is one, then the on-demand one."""
        environments = [self.stack.spot_environment] if spec.spot else []
        environments.append(self.stack.compute_environment)
        return {
            "tags": self.stack.tags,
            "state": "ENABLED",
            "computeEnvironmentOrder": [
                self.stack.arn("batch", f"compute-environment/{name}") for name in environments
            ],
            "jobStateTimeLimitActions": time_limit_actions(spec),
        }

    def create(self, desired: Document) -> list[Instruction]:
        """Creation and the wait until it is VALID."""
        parameters = {"jobQueueName": self.name, "priority": 1, "tags": self.stack.tags, **_settings(desired)}
        made = ApiCall(f"create job queue {self.name}", "batch", "create_job_queue", parameters)
        return [made, wait_for_queue(self.name, READY)]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Changes in place, and the wait; AWS takes no change while it is at work on the one before."""
        steps: list[Instruction] = [] if found.state in SETTLED else [wait_for_queue(self.name, SETTLED)]
        if "tags" in changed:
            parameters = {"resourceArn": self.arn, "tags": self.stack.tags}
            steps.append(ApiCall(f"tag job queue {self.name}", "batch", "tag_resource", parameters))
        settings = {name: value for name, value in _settings(desired).items() if name in changed}
        if "computeEnvironmentOrder" in settings:  # AWS takes only VALID ones
            steps += [wait_for_environment(arn.rpartition("/")[2], READY) for arn in desired["computeEnvironmentOrder"]]
        if settings:
            steps.append(self._change("change", "update_job_queue", **settings))
        return [*steps, wait_for_queue(self.name, READY)]

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Disabling, the end of its jobs, and deletion: AWS deletes only a disabled queue.

        https://docs.aws.amazon.com/batch/latest/APIReference/API_DeleteJobQueue.html
        """
        if found.state == "DELETING":
            return [wait_for_queue(self.name, GONE)]
        busy = found.state not in SETTLED
        return [
            *([wait_for_queue(self.name, SETTLED)] if busy else []),
            self._change("disable", "update_job_queue", state="DISABLED"),
            wait_for_queue(self.name, SETTLED),
            TerminateJobs(f"end the jobs of queue {self.name}", self.name),
            self._change("delete", "delete_job_queue"),
            wait_for_queue(self.name, GONE),
        ]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Job queue; its limits are left out where there are none."""
        ordered = enumerate(desired["computeEnvironmentOrder"], start=1)
        limits = capitalized(desired["jobStateTimeLimitActions"])
        properties = {
            "JobQueueName": self.name,
            "Priority": 1,
            "State": desired["state"],
            "ComputeEnvironmentOrder": [{"Order": order, "ComputeEnvironment": arn} for order, arn in ordered],
            **({"JobStateTimeLimitActions": limits} if limits else {}),
            "Tags": desired["tags"],
        }
        return [("AWS::Batch::JobQueue", properties)]

    def must_settle(self, found: ObservedResource) -> bool:
        """True while AWS is at work on it."""
        return found.state != "VALID"

    def must_replace(self, found: ObservedResource, changed: frozenset[str]) -> bool:
        """True for a queue that is INVALID or on its way out; everything else can be changed in place."""
        return found.state in ("INVALID", "DELETING")

    def _change(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} job queue {self.name}", "batch", operation, {"jobQueue": self.name, **parameters})


def count_living(remote: RemoteState, queue: str) -> int:
    """Number of jobs of a queue that have not ended; an array is one."""
    return _count(remote, queue, LIVING)


def count_running(remote: RemoteState, queue: str) -> int:
    """Number of jobs that have a place, as far as a listing tells: an array of jobs that run is PENDING, and one."""
    return _count(remote, queue, (BatchState.PENDING, BatchState.STARTING, BatchState.RUNNING))


def _count(remote: RemoteState, queue: str, states: Iterable[BatchState]) -> int:
    return sum(len(remote.jobs(queue, state)) for state in states)


def time_limit_actions(spec: ProvisionSpec) -> list[Document]:
    """Cancellation of jobs that stay RUNNABLE at the head of the queue longer than the limit of the spec."""
    if spec.runnable_limit == UNLIMITED:
        return []
    seconds = spec.runnable_limit * 60
    return [
        {"reason": reason, "state": "RUNNABLE", "maxTimeSeconds": seconds, "action": "CANCEL"}
        for reason in LIMITED_REASONS
    ]


def _settings(desired: Document) -> Document:
    """What CreateJobQueue and UpdateJobQueue take alike."""
    ordered = enumerate(desired["computeEnvironmentOrder"], start=1)
    return {
        "state": desired["state"],
        "computeEnvironmentOrder": [{"order": order, "computeEnvironment": arn} for order, arn in ordered],
        "jobStateTimeLimitActions": desired["jobStateTimeLimitActions"],
    }
