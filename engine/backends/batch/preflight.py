"""Preflight: checks credentials, bucket, queue and job definition before the first task. Fails with one sentence."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.protocol import COMMAND, JobParameter
from engine.aws import limits
from engine.aws.calls.operations import DESCRIBE_DEFINITIONS, DESCRIBE_ENVIRONMENTS, DESCRIBE_QUEUES, LIST_OBJECTS
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.fargate import FargateSize
from engine.aws.object_store import ObjectStore
from engine.backends.batch.names import StoreLayout
from engine.errors import StartupError
from engine.model import Demand

if TYPE_CHECKING:
    from engine.config.settings import ManagerConfig

logger = logging.getLogger(__name__)

PREFLIGHT_TRIES: Final = 4
STACK_TAG: Final = "opengris:stack"
"""Tag of a stack's queue, which is copied to its jobs with the queue's others: the manager's policy allows it to
terminate jobs of its own stack only, and an organization's own tags tell who pays."""
AWS_TAGS: Final = "aws:"
GPU_INSTANCE_TYPES: Final = r"(p|g|gr)\d"
FARGATE_TYPES: Final = frozenset({"FARGATE", "FARGATE_SPOT"})
EXPECTED_COMMAND: Final = json.dumps(COMMAND)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Findings of the preflight. `command` is the definition's, with its `Ref::`s."""

    command: tuple[str, ...]
    log_group: str
    gpus: int
    vcpus: float | None
    """Of a job that asks for nothing else."""
    memory_mib: int | None
    """The same."""
    has_priority: bool
    """The definition has a scheduling priority of its own."""
    tags: dict[str, str]
    environments: tuple[dict[str, Any], ...]
    """The queue's compute environments as AWS describes them."""
    fargate: FargateSize | None = None
    """Of a job that asks for nothing else, where jobs run on Fargate."""
    bucket_owner: str | None = None
    """Account that calls of S3 name as the bucket's owner, None for a bucket of another account than the queue's."""

    @property
    def demand(self) -> Demand | None:
        """vCPUs and memory of a job that asks for nothing else; None: the definition doesn't say."""
        known = self.vcpus is not None and self.memory_mib is not None
        return Demand(self.vcpus or 0.0, (self.memory_mib or 0) / 1024) if known else None


@dataclass(frozen=True, slots=True)
class Revision:
    """An active revision of the job definition. `command` is its own, with its `Ref::`s."""

    arn: str
    command: tuple[str, ...]


async def examine(client: AwsClient, store: ObjectStore, layout: StoreLayout, config: ManagerConfig) -> Surroundings:
    """Check everything that the manager is given. Raises `StartupError`, one sentence with what to do."""
    queue, definition = config.job_queue, config.job_definition
    found_queue = await _find_queue(client, queue)
    await _check_bucket(client, store, layout, _account(found_queue))
    _check_share(config, found_queue)
    revision = await _find_revision(client, definition)
    container = _container(definition, revision)
    environments = await _environments(client, found_queue)
    if not any(_is_ecs(one) for one in environments):
        raise StartupError(
            f"job queue {queue!r} has EKS compute environments only, and the jobs are containers on ECS: "
            "give a queue with an EC2, Spot or Fargate compute environment"
        )
    command = tuple(container.get("command", ()))
    _check_command(definition, command)
    _check_job_role(definition, container, environments)
    return Surroundings(
        command=command,
        log_group=_log_group(definition, container),
        gpus=_gpus(container, environments),
        vcpus=_vcpus(container),
        memory_mib=_memory_mib(container),
        has_priority=revision.get("schedulingPriority") is not None,
        tags=_tags_of_jobs(found_queue),
        environments=tuple(environments),
        fargate=_fargate(container, environments),
        bucket_owner=client.session.bucket_owner,
    )


async def find_newest(client: AwsClient, definition: str) -> Revision:
    """Find the newest active revision of a definition, by its name. Raises `StartupError` when none can be used."""
    revision = await _find_revision(client, definition)
    command = tuple(_container(definition, revision).get("command", ()))
    _check_command(definition, command)
    return Revision(revision.get("jobDefinitionArn") or f"{definition}:{revision.get('revision', '')}", command)


def write_sentence(layout: StoreLayout, error: AwsError) -> str:
    """Say why the manager's first object, its lease, can't be written, and what to do."""
    place = f"s3://{layout.bucket}/{layout.root}/"
    if error.denied:
        return (
            f"S3 refuses to write below {place} ({error.detail}): give the manager's role s3:PutObject there; where a "
            "bucket policy wants an encryption header, make that the bucket's default encryption instead"
        )
    return f"nothing can be written below {place}, {_why(error)}"


def versions_sentence(layout: StoreLayout) -> str:
    """Say what it costs that the bucket keeps versions."""
    return (
        f"S3 bucket {layout.bucket!r} keeps versions: each deleted payload and result stays and is paid for, and each "
        "renewal of the lease adds a version (28,800 a day at work, 4,300 idle): give it a lifecycle rule that expires "
        f"noncurrent versions below {layout.s3_prefix}/ after a day, or another --s3-bucket"
    )


def _account(queue: dict[str, Any]) -> str | None:
    return str(queue["jobQueueArn"]).split(":")[4] if "jobQueueArn" in queue else None


def _tags_of_jobs(queue: dict[str, Any]) -> dict[str, str]:
    tags: dict[str, str] = queue.get("tags", {})
    return {name: value for name, value in tags.items() if STACK_TAG in tags and not name.startswith(AWS_TAGS)}


async def _check_bucket(client: AwsClient, store: ObjectStore, layout: StoreLayout, account: str | None) -> None:
    """Find out whose it is, too: a bucket whose name has the account must be that account's, others may be given."""
    if layout.bucket.endswith(limits.DIRECTORY_BUCKET):
        raise StartupError(
            f"S3 bucket {layout.bucket!r} is a directory bucket, whose listings can't begin behind a key: "
            "give a general purpose bucket as --s3-bucket"
        )
    client.session.bucket_owner = account
    try:
        await _list_results(client, store, layout)
    except AwsError as error:
        if not error.denied or account is None or account in layout.bucket:
            raise StartupError(_bucket_sentence(layout, error, account)) from error
    else:
        return
    client.session.bucket_owner = None
    try:
        await _list_results(client, store, layout)
    except AwsError as error:
        raise StartupError(_bucket_sentence(layout, error)) from error
    logger.warning(
        "S3 bucket %r is of another account than job queue and jobs: no call can make sure that it stays so",
        layout.bucket,
    )


async def _list_results(client: AwsClient, store: ObjectStore, layout: StoreLayout) -> None:
    await client.run(LIST_OBJECTS, lambda: store.list_page(layout.results), tries=PREFLIGHT_TRIES)


def _bucket_sentence(layout: StoreLayout, error: AwsError, owner: str | None = None) -> str:
    if error.code == "NoSuchBucket":
        return f"S3 bucket {layout.bucket!r} does not exist: create it, or give another --s3-bucket"
    if error.code == "PermanentRedirect":
        return f"S3 bucket {layout.bucket!r} can't be used, {error.detail}: give the bucket's --aws-region"
    if error.denied:
        return (
            f"S3 refuses to list s3://{layout.bucket}/{layout.root}/: give the manager's role s3:ListBucket on the "
            f"bucket and s3:GetObject, s3:PutObject, s3:DeleteObject below that prefix{_of(owner)}"
        )
    return f"S3 bucket {layout.bucket!r} can't be read, {_why(error)}"


def _of(owner: str | None) -> str:
    return "" if owner is None else f" (the bucket must be account {owner}'s)"


async def _find_queue(client: AwsClient, queue: str) -> dict[str, Any]:
    answer = await _describe(client, DESCRIBE_QUEUES, "job queue", queue, jobQueues=[queue])
    if not answer["jobQueues"]:
        raise StartupError(
            f"job queue {queue!r} does not exist in region {client.session.region}: check --job-queue and --aws-region"
        )
    found: dict[str, Any] = answer["jobQueues"][0]
    if found.get("state") != "ENABLED" or found.get("status") not in ("VALID", "CREATING", "UPDATING"):
        raise StartupError(
            f"job queue {queue!r} is {quote_foreign(found.get('state'))} and {quote_foreign(found.get('status'))}, "
            "expected ENABLED and VALID: "
            f"{quote_foreign(found.get('statusReason') or 'enable it, or give another --job-queue')}"
        )
    return found


def _check_share(config: ManagerConfig, queue: dict[str, Any]) -> None:
    """AWS Batch wants a share identifier with each job of a queue with a scheduling policy, and with no other."""
    is_fair = bool(queue.get("schedulingPolicyArn"))
    if is_fair and config.share_identifier is None:
        raise StartupError(
            f"job queue {config.job_queue!r} has a scheduling policy ({quote_foreign(queue['schedulingPolicyArn'])}), "
            "so each job needs a share: give --share-identifier"
        )
    given = [
        flag
        for flag, value in (
            ("--share-identifier", config.share_identifier),
            ("--scheduling-priority", config.scheduling_priority),
        )
        if value is not None
    ]
    if given and not is_fair:
        raise StartupError(
            f"job queue {config.job_queue!r} has no scheduling policy, so AWS Batch takes no job with a share or a "
            f"priority: leave {' and '.join(given)} out, or give a queue with a fair-share policy"
        )


async def _find_revision(client: AwsClient, definition: str) -> dict[str, Any]:
    """The revision that a job of this definition gets: the highest active one, on whichever page it stands."""
    given: dict[str, Any] = (
        {"jobDefinitions": [definition]} if ":" in definition else {"jobDefinitionName": definition, "status": "ACTIVE"}
    )
    active: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None:
        more = {"nextToken": token} if token else {}
        answer = await _describe(client, DESCRIBE_DEFINITIONS, "job definition", definition, **given, **more)
        active += [one for one in answer["jobDefinitions"] if one.get("status", "ACTIVE") == "ACTIVE"]
        token = answer.get("nextToken") or None
    if not active:
        raise StartupError(
            f"job definition {definition!r} has no active revision in region {client.session.region}: "
            "check --job-definition and --aws-region"
        )
    return max(active, key=lambda one: int(one.get("revision", 0)))


def _container(definition: str, revision: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] | None = revision.get("containerProperties")
    if container is None:
        raise StartupError(
            f"job definition {definition!r} has no containerProperties: "
            f"it must be of type container with the command {EXPECTED_COMMAND}"
        )
    return container


async def _environments(client: AwsClient, queue: dict[str, Any]) -> list[dict[str, Any]]:
    arns = [one["computeEnvironment"] for one in queue.get("computeEnvironmentOrder", ())]
    if not arns:
        raise StartupError(f"job queue {queue['jobQueueName']!r} has no compute environment: add one to it")
    answer = await _describe(
        client, DESCRIBE_ENVIRONMENTS, "compute environments of", queue["jobQueueName"], computeEnvironments=arns
    )
    environments: list[dict[str, Any]] = answer["computeEnvironments"]
    return environments


async def _describe(client: AwsClient, api: Any, what: str, name: str, **arguments: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await client.call(api, tries=PREFLIGHT_TRIES, **arguments)
    except AwsError as error:
        raise StartupError(f"{what} {name!r} can't be read, {_why(error)}") from error
    return answer


def _why(error: AwsError) -> str:
    if error.code in ("NoCredentialsError", "PartialCredentialsError"):
        return "no AWS credentials were found: run `aws configure`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
    if error.wrong_clock:
        return (
            f"this machine's clock is wrong, AWS refuses its time ({error.code}: {error.detail}): "
            "set the clock and start again"
        )
    if error.action is ErrorAction.REFRESH_CREDENTIALS and not error.status:
        return f"AWS credentials can't be read ({error.code}: {error.detail}): correct the profile or its source"
    if error.action is ErrorAction.REFRESH_CREDENTIALS:
        return f"AWS refuses the credentials ({error.code}: {error.detail}): renew them and start again"
    if error.denied:
        return f"AWS denies {error.api} ({error.detail}): allow it in the manager's policy"
    if error.code in ("EndpointConnectionError", "ConnectTimeoutError"):
        return f"AWS can't be reached ({error.detail}): check the network, the region and AWS_ENDPOINT_URL"
    return f"{error.api} failed with {error.code} ({error.detail}): try again, or check the region and the network"


def _is_ecs(environment: dict[str, Any]) -> bool:
    orchestration: str = environment.get("containerOrchestrationType", "ECS")
    return orchestration != "EKS"


def _check_command(definition: str, command: tuple[str, ...]) -> None:
    missing = [parameter.reference for parameter in JobParameter if parameter.reference not in command]
    if missing:
        raise StartupError(
            f"job definition {definition!r} lacks {', '.join(missing)} in its command, "
            f"which must be {EXPECTED_COMMAND}: register a revision with it"
        )


def _check_job_role(definition: str, container: dict[str, Any], environments: list[dict[str, Any]]) -> None:
    """Without a job role a container has its instance's role, where there is an instance of the account's own."""
    if container.get("jobRoleArn"):
        return
    if _is_on_fargate(environments):
        raise StartupError(
            f"job definition {definition!r} has no jobRoleArn, and on Fargate a job has no other credentials, so it "
            "could not reach S3: register a revision with a job role that may read and write below the S3 prefix"
        )
    logger.warning(
        "job definition %r has no jobRoleArn: jobs use their instance's role, and without one that may read and write "
        "below the S3 prefix each job is tried for minutes and then fails; register a revision with a job role",
        definition,
    )


def _is_on_fargate(environments: list[dict[str, Any]]) -> bool:
    """AWS mixes no instances with it in a queue."""
    return {one.get("computeResources", {}).get("type", "EC2") for one in environments} <= FARGATE_TYPES


def _fargate(container: dict[str, Any], environments: list[dict[str, Any]]) -> FargateSize | None:
    wanted = {one.get("type"): one["value"] for one in container.get("resourceRequirements", ())}
    if not _is_on_fargate(environments) or not {"VCPU", "MEMORY"} <= wanted.keys():
        return None
    return FargateSize(float(wanted["VCPU"]), int(wanted["MEMORY"]))


def _log_group(definition: str, container: dict[str, Any]) -> str:
    logging = container.get("logConfiguration") or {}
    if logging.get("logDriver", "awslogs") != "awslogs":
        return ""
    group: str = logging.get("options", {}).get("awslogs-group", limits.DEFAULT_LOG_GROUP)
    if not group:
        raise StartupError(f"job definition {definition!r} names an empty awslogs-group: give one, or leave it out")
    return group


def _gpus(container: dict[str, Any], environments: list[dict[str, Any]]) -> int:
    """GPUs that a job gets: the definition's number, else one where the queue has GPU instances at all."""
    wanted = [one for one in container.get("resourceRequirements", ()) if one.get("type") == "GPU"]
    if wanted:
        return int(wanted[0]["value"])
    types = [name for one in environments for name in one.get("computeResources", {}).get("instanceTypes", ())]
    return int(any(re.match(GPU_INSTANCE_TYPES, name) for name in types))


def _vcpus(container: dict[str, Any]) -> float | None:
    wanted = [one["value"] for one in container.get("resourceRequirements", ()) if one.get("type") == "VCPU"]
    found = wanted[0] if wanted else container.get("vcpus")
    return None if found is None else float(found)


def _memory_mib(container: dict[str, Any]) -> int | None:
    wanted = [one["value"] for one in container.get("resourceRequirements", ()) if one.get("type") == "MEMORY"]
    found = wanted[0] if wanted else container.get("memory")
    return None if found is None else int(found)
