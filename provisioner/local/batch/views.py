"""JSON of Batch's answers: DescribeJobs, ListJobs and the other Describe calls.

https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html and its neighbours. Of a job only what a
container job has is shown; there is no `ecsProperties`, no `nodeProperties`, no `consumableResourceProperties`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.aws.batch_states import BatchState
from provisioner.local.batch.records import (
    JobSpec,
    LocalAttempt,
    LocalDefinition,
    LocalEnvironment,
    LocalJob,
    LocalQueue,
    RetryRule,
)

Json = dict[str, Any]
# AWS shows these lists of a container, empty or not, and a retry rule's action in lower case however it was given.
CONTAINER_LISTS: Final = (
    "command",
    "volumes",
    "environment",
    "mountPoints",
    "ulimits",
    "resourceRequirements",
    "secrets",
)


def present(values: Json) -> Json:
    """AWS leaves out what it doesn't know."""
    return {key: value for key, value in values.items() if value is not None}


def job_summary(job: LocalJob, state: BatchState) -> Json:
    """A job of ListJobs in this state, which may be a former one: then nothing is told of what came after."""
    last = job.last
    container = None
    if last is not None:
        container = present({"exitCode": last.exit_code, "reason": last.reason}) or None
    answer = {
        **identity(job),
        "container": container,
        "jobDefinition": job.spec.definition.arn,
        "arrayProperties": array_summary(job),
    }
    if state is not job.status:
        answer |= {"status": state, "container": None, "statusReason": None, "stoppedAt": None}
    return present(answer)


def identity(job: LocalJob) -> Json:
    """The fields that ListJobs and DescribeJobs both show."""
    return {
        "jobArn": job.arn,
        "jobId": job.id,
        "jobName": job.spec.name,
        "createdAt": job.created_at,
        "status": job.status,
        "statusReason": job.status_reason,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
    }


def array_summary(job: LocalJob) -> Json | None:
    """An array's size, or a child's index; None for a single job."""
    if job.children is not None:
        return {"size": len(job.children)}
    return None if job.index is None else {"index": job.index}


def job_detail(job: LocalJob, summary: Mapping[BatchState, int]) -> Json:
    """A job of DescribeJobs; `summary` counts an array's children."""
    spec = job.spec
    return present(
        {
            **identity(job),
            "jobQueue": spec.queue.arn,
            "jobDefinition": spec.definition.arn,
            "parameters": dict(spec.parameters),
            "attempts": [attempt_detail(attempt) for attempt in job.attempts],
            "container": container_detail(spec, job.last) | placement_detail(job),
            "arrayProperties": array_detail(job, summary),
            "retryStrategy": retry_detail(spec),
            "timeout": None if spec.timeout_s is None else {"attemptDurationSeconds": int(spec.timeout_s)},
            "dependsOn": [],
            "tags": None if job.parent is not None else dict(spec.tags),  # arrays' children can't be tagged
            "platformCapabilities": ["EC2"],
            "isCancelled": job.cancelled,
            "isTerminated": job.terminated,
        }
    )


def array_detail(job: LocalJob, summary: Mapping[BatchState, int]) -> Json | None:
    """An array's size and the states of its children, or a child's index."""
    if job.children is None:
        return array_summary(job)
    counts = {state: summary.get(state, 0) for state in BatchState}
    return {"size": len(job.children), "statusSummary": counts}


def attempt_detail(attempt: LocalAttempt) -> Json:
    """An attempt of DescribeJobs; only those that are over are listed."""
    container = present(
        {
            "exitCode": attempt.exit_code,
            "reason": attempt.reason,
            "logStreamName": attempt.log_stream,
            "networkInterfaces": [],
        }
    )
    return present(
        {
            "container": container,
            "startedAt": attempt.started_at,
            "stoppedAt": attempt.stopped_at,
            "statusReason": attempt.status_reason,
        }
    )


def container_detail(spec: JobSpec, last: LocalAttempt | None) -> Json:
    """The container of a job: what it was made from, and how its last attempt went."""
    properties = spec.definition.container
    shown = last or LocalAttempt()
    environment = [{"name": name, "value": value} for name, value in spec.environment.items()]
    return present(
        {
            "image": properties.get("image"),
            "command": list(spec.command),
            "jobRoleArn": properties.get("jobRoleArn"),
            "executionRoleArn": properties.get("executionRoleArn"),
            "environment": environment,
            "resourceRequirements": [dict(one) for one in spec.resources],
            "logConfiguration": log_configuration(properties),
            "exitCode": shown.exit_code,
            "reason": shown.reason,
            "logStreamName": shown.log_stream,
            "volumes": [],
            "mountPoints": [],
            "ulimits": [],
            "networkInterfaces": [],
            "secrets": [],
        }
    )


def placement_detail(job: LocalJob) -> Json:
    """The container instance that a job runs on; its ARN has the name of the environment's cluster."""
    if job.placed_on is None or job.status not in (BatchState.STARTING, BatchState.RUNNING):
        return {}
    instances = job.placed_on.cluster_arn.replace(":cluster/", ":container-instance/")
    return {"containerInstanceArn": f"{instances}/{job.placed_on.uuid.replace('-', '')}"}


def retry_detail(spec: JobSpec) -> Json:
    """The retry strategy of a job."""
    return {"attempts": spec.attempts, "evaluateOnExit": [rule_detail(rule) for rule in spec.rules]}


def rule_detail(rule: RetryRule) -> Json:
    """An `evaluateOnExit` rule of a job."""
    return present(
        {
            "action": rule.action,
            "onStatusReason": rule.on_status_reason,
            "onReason": rule.on_reason,
            "onExitCode": rule.on_exit_code,
        }
    )


def environment_detail(environment: LocalEnvironment) -> Json:
    """A compute environment of DescribeComputeEnvironments, with what AWS adds by itself."""
    compute = {"desiredvCpus": 0, "tags": {}, **environment.compute}
    wanted = max(environment.used_vcpus, environment.warm_vcpus, environment.wanted_vcpus)
    compute["desiredvCpus"] = int(wanted) or compute["desiredvCpus"]
    return {
        **environment.request,
        "computeEnvironmentName": environment.name,
        "computeEnvironmentArn": environment.arn,
        "computeResources": {**compute, **added_members(environment)},
        "containerOrchestrationType": "ECS" if environment.on_ecs else "EKS",
        "ecsClusterArn": environment.cluster_arn,
        "uuid": environment.uuid,
        "state": environment.state,
        "status": environment.status,
        "statusReason": environment.status_reason,
        "tags": environment.request.get("tags", {}),
    }


def added_members(environment: LocalEnvironment) -> Json:
    """Members of computeResources that nobody sends: empty overrides, and the image's status once it has scaled.

    https://docs.aws.amazon.com/batch/latest/userguide/managing-ami-versions.html
    """
    added: Json = {}
    if template := environment.compute.get("launchTemplate"):
        added["launchTemplate"] = {"overrides": [], **template}
    if environment.has_scaled and (images := environment.compute.get("ec2Configuration")):
        added["ec2Configuration"] = [{**one, "batchImageStatus": "LATEST"} for one in images]
    return added


def queue_detail(queue: LocalQueue) -> Json:
    """A queue of DescribeJobQueues."""
    return {
        "jobStateTimeLimitActions": [],
        **queue.request,
        "jobQueueName": queue.name,
        "jobQueueArn": queue.arn,
        "state": queue.state,
        "status": queue.status,
        "statusReason": queue.status_reason,
        "priority": queue.priority,
        "computeEnvironmentOrder": [
            {"order": order, "computeEnvironment": environment.arn}
            for order, environment in enumerate(queue.environments, start=1)
        ],
        "tags": queue.request.get("tags", {}),
    }


def definition_detail(definition: LocalDefinition) -> Json:
    """A revision of DescribeJobDefinitions."""
    request = definition.request
    retry = request.get("retryStrategy", {})
    rules = [{**rule, "action": str(rule["action"]).lower()} for rule in retry.get("evaluateOnExit", ())]
    return {
        "parameters": {},
        "platformCapabilities": ["EC2"],
        **request,
        **({"retryStrategy": {**retry, "evaluateOnExit": rules}} if retry else {}),
        "containerProperties": {**dict.fromkeys(CONTAINER_LISTS, ()), **container_properties(definition)},
        "jobDefinitionName": definition.name,
        "jobDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": definition.status,
        "tags": request.get("tags", {}),
        "containerOrchestrationType": "ECS",
    }


def container_properties(definition: LocalDefinition) -> Json:
    """As they were sent, with what AWS adds to a log configuration."""
    return present({**definition.container, "logConfiguration": log_configuration(definition.container)})


def log_configuration(properties: Mapping[str, Any]) -> Json | None:
    """A log configuration as AWS shows it, with its secrets' empty list."""
    found = properties.get("logConfiguration")
    return None if found is None else {"secretOptions": [], **found}
