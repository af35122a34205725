"""SubmitJob's request for a submission, and how much payload text it has room for. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from container.batch_job_wire.protocol import (
    CODE,
    PACK,
    PARALLEL,
    REFERENCE,
    SEGMENTS,
    TEMPLATE,
    WITH_CODE,
    JobParameter,
    job_options,
    pack_of,
)
from engine.aws import limits
from engine.aws.fargate import FargateSize, fitting_size
from engine.aws.retry_rules import RETRY_STRATEGY
from engine.backends.batch.ledger import Submission
from engine.backends.batch.submit.payload_router import Room
from engine.model import ResourceShape, TaskWork

_COUNT: Final = re.compile("[0-9]{1,3}")
REQUEST_RESERVE: Final = 256
"""Characters for what AWS may count besides the request's own JSON."""
OVERRIDES_RESERVE: Final = 1_024
"""Characters for what Batch adds to the overrides: its AWS_BATCH_* variables, names of queue and environment."""

PACK_EXTRA_S: Final = 60
"""Of an attempt that runs several tasks, beside their own time-outs."""
ATTEMPT_MOST_S: Final = 2**31 - 1
"""attemptDurationSeconds is a 32-bit number."""
TIMEOUT_OPTION: Final = "timeout"
"""Option of a job that runs several tasks: the seconds that each may take."""


@dataclass(frozen=True, slots=True)
class FairShare:
    """A job's place in a queue with a fair-share policy: `identifier`, and a priority of jobs that have none.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
    """

    identifier: str
    priority: int | None

    def arguments(self, shape: ResourceShape) -> dict[str, Any]:
        """SubmitJob's arguments; a priority of None leaves the job definition's."""
        priority = self.priority if shape.priority is None else shape.priority
        given = {} if priority is None else {"schedulingPriorityOverride": priority}
        return {"shareIdentifier": self.identifier, **given}


_RETRIES: Final = {"memory-retries": "memory_retries", "host-retries": "host_retries"}
"""Options that runners leave alone, and fields of a shape: how often the task may still be sent again."""


def retry_options(shape: ResourceShape) -> str:
    """What stands in a job's options of the retries that are left, so that a successor goes on counting."""
    left = {name: getattr(shape, field) for name, field in _RETRIES.items()}
    return "".join(f";{name}={count}" for name, count in left.items() if count is not None)


def read_retries(options: str) -> dict[str, int]:
    """The fields of a shape that `retry_options` wrote."""
    pairs = (text.partition("=") for text in options.split(";"))
    return {_RETRIES[name]: int(count) for name, _, count in pairs if name in _RETRIES and _COUNT.fullmatch(count)}


def job_priority(priority: int) -> int:
    """A task's priority in Scaler as its job's."""
    return min(max(priority, 0), limits.SCHEDULING_PRIORITY_MAX)


def prioritized(work: TaskWork) -> TaskWork:
    """The task with its priority in Scaler as its job's: tasks of another priority become other jobs."""
    return replace(work, shape=replace(work.shape, priority=job_priority(work.priority)))


@dataclass(slots=True)
class JobTemplate:
    """Template of SubmitJob's requests. `overrides_limit` is lowered when a queue proves stricter."""

    queue: str
    definition: str
    command: tuple[str, ...]
    store_uri: str
    options: str
    timeout_s: int
    tags: dict[str, str]
    inline_limit: int
    overrides_limit: int | None
    share: FairShare | None = None
    fargate: FargateSize | None = None
    """What a job has that asks for nothing, where jobs run on Fargate."""
    has_template: bool = True
    """Whether tasks that share a job may be forked from a process that has their function loaded."""

    def arguments(self, submission: Submission, text: str) -> dict[str, Any]:
        """Make SubmitJob's arguments, with `text` as the payload parameter."""
        arguments: dict[str, Any] = {
            "jobName": submission.job_name,
            "jobQueue": self.queue,
            "jobDefinition": self.definition,
            "parameters": self._parameters(submission, text),
            "retryStrategy": RETRY_STRATEGY,
            "timeout": {"attemptDurationSeconds": self._attempt_s(submission)},
        }
        requirements = self._requirements(submission.shape)
        if requirements:
            arguments["containerOverrides"] = {"resourceRequirements": requirements}
        if submission.is_array:
            arguments["arrayProperties"] = {"size": submission.children}
        if self.tags:
            arguments["tags"] = self.tags
        if self.share is not None:
            arguments |= self.share.arguments(submission.shape)
        return arguments

    def room(self, submission: Submission) -> Room:
        """Room for the payload text, in characters."""
        request = len(json.dumps(self.arguments(submission, "")))
        bounds = [self.inline_limit, limits.SUBMIT_JOB_REQUEST_LIMIT - 1 - request - REQUEST_RESERVE]
        if self.overrides_limit is not None:
            bounds.append(self.overrides_limit - self._overrides_size(submission))
        return Room.within(*bounds)

    def lower_limit(self) -> None:
        """Send payloads as long as that of a job that failed for its overrides' length through S3 from now on."""
        if self.overrides_limit is None:
            self.overrides_limit = limits.ECS_OVERRIDES_LIMIT
        else:
            self.overrides_limit = self.overrides_limit * 3 // 4

    def _task_s(self, submission: Submission) -> int:
        """Seconds that one task may take."""
        return min(self.timeout_s, submission.shape.timeout_s or self.timeout_s)

    def _attempt_s(self, submission: Submission) -> int:
        task_s = self._task_s(submission)
        if submission.pack == 1:
            return task_s
        rounds = -(-submission.pack // submission.parallel)
        return min(rounds * task_s + PACK_EXTRA_S, ATTEMPT_MOST_S)

    def _options(self, submission: Submission) -> str:
        options = [self.options]
        if submission.shape.code:
            options.append(f"{CODE}={submission.shape.code}")
        if submission.pack > 1:
            options += [f"{PACK}={submission.pack}", f"{TIMEOUT_OPTION}={self._task_s(submission)}"]
            # what several lanes have announced together would say little of how far each came
            options.append(f"{SEGMENTS}=1" if submission.parallel == 1 else f"{PARALLEL}={submission.parallel}")
            if self.has_template:
                options.append(f"{TEMPLATE}=1")
        return ";".join(options) + retry_options(submission.shape)

    def _parameters(self, submission: Submission, text: str) -> dict[str, str]:
        code = submission.shape.code
        return {
            JobParameter.STORE.value: self.store_uri,
            JobParameter.SUBMISSION.value: submission.submission_id,
            JobParameter.PAYLOAD.value: f"{WITH_CODE}{text}" if code else text,
            JobParameter.OPTIONS.value: self._options(submission),
        }

    def _overrides_size(self, submission: Submission) -> int:
        """Characters of the overrides without the payload text."""
        values = {f"{REFERENCE}{name}": value for name, value in self._parameters(submission, "").items()}
        overrides = {
            "command": [values.get(word, word) for word in self.command],
            "resourceRequirements": self._requirements(submission.shape),
        }
        return len(json.dumps(overrides)) + OVERRIDES_RESERVE

    def _requirements(self, shape: ResourceShape) -> list[dict[str, str]]:
        vcpus, memory_mib = self._size(shape)
        count = None if vcpus is None else f"{vcpus:g}"
        amounts = (("VCPU", count), ("MEMORY", memory_mib), ("GPU", shape.gpus))
        return [{"type": kind, "value": str(value)} for kind, value in amounts if value is not None]

    def _size(self, shape: ResourceShape) -> tuple[float | None, int | None]:
        """vCPUs and MiB of a job's own; on Fargate the next size that has both, for it takes no others.

        What no size has is asked for as it is: AWS says why it refuses.
        """
        if self.fargate is None or (shape.vcpus is None and shape.memory_mib is None):
            return shape.vcpus, shape.memory_mib
        vcpus = self.fargate.vcpus if shape.vcpus is None else shape.vcpus
        memory_mib = self.fargate.memory_mib if shape.memory_mib is None else shape.memory_mib
        return fitting_size(vcpus, memory_mib) or (vcpus, memory_mib)


def read_pack(options: str) -> tuple[int, int | None]:
    """How many tasks a job with these options runs, and the seconds for each; (1, None) without packing."""
    pack, timeout = pack_of(options), job_options(options).get(TIMEOUT_OPTION, "")
    return pack, int(timeout) if pack > 1 and _is_number(timeout) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def runner_options(
    region: str,
    client_python: str | None,
    bucket_owner: str | None = None,
    scheduler: str | None = None,
    transport: str | None = None,
) -> str:
    """Make the runner's `options` parameter; runners leave alone what they don't know.

    `scheduler` and `transport` are for clients that a task makes without an address.
    """
    options = [f"region={region}"]
    if bucket_owner is not None:
        options.append(f"owner={bucket_owner}")
    if client_python is not None:
        options.append(f"python={client_python}")
    if scheduler is not None:
        options.append(f"scheduler={scheduler}")
    if transport is not None:
        options.append(f"transport={transport}")
    return ";".join(options)
