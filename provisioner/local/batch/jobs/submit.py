"""Validation of SubmitJob, and the `JobSpec` it comes to: limits, the definition's defaults, `Ref::` substitution.

https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from container.batch_job_wire.protocol import REFERENCE
from provisioner.local.batch.control_plane import fargate_rules
from provisioner.local.batch.errors import client_error
from provisioner.local.batch.records import JobSpec, LocalDefinition, LocalQueue, RetryRule

MAX_REQUEST_BYTES: Final = 30 * 1024
MIN_ARRAY, MAX_ARRAY = 2, 10_000
MIN_TIMEOUT_S: Final = 60
MAX_ATTEMPTS: Final = 10
MAX_RULES: Final = 5
JOB_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
DEFAULT_LOG_GROUP: Final = "/aws/batch/job"
UNSUPPORTED: Final = ("dependsOn", "nodeOverrides", "eksPropertiesOverride", "ecsPropertiesOverride")


def check_size(body: bytes) -> None:
    """Raises `BatchError` for a request of 30 KiB or more."""
    if len(body) >= MAX_REQUEST_BYTES:
        got = -(-len(body) // 1024)
        raise client_error(f"Job size must be less than 30 KiB, got {got} KiB")


def array_size(request: Mapping[str, Any]) -> int | None:
    """Number of children; None for a single job. Raises `BatchError` outside of 2 to 10,000."""
    size = request.get("arrayProperties", {}).get("size")
    if size is None:
        return None
    if not MIN_ARRAY <= size <= MAX_ARRAY:
        raise client_error(f"Array size must be between {MIN_ARRAY} and {MAX_ARRAY}, got {size}.")
    return int(size)


def make_spec(request: Mapping[str, Any], queue: LocalQueue, definition: LocalDefinition) -> JobSpec:
    """The job that a request comes to. Raises `BatchError`."""
    check_known(request)
    container, overrides = definition.container, request.get("containerOverrides", {})
    parameters = definition.request.get("parameters", {}) | request.get("parameters", {})
    command = substitute(overrides.get("command") or container.get("command", ()), parameters)
    resources = merge_resources(container, overrides)
    if "FARGATE" in definition.request.get("platformCapabilities", ()):
        fargate_rules.check_size(resources)
    retry = request.get("retryStrategy") or definition.request.get("retryStrategy") or {}
    log_group, log_prefix = log_names(definition)
    return JobSpec(
        name=job_name(request),
        queue=queue,
        definition=definition,
        parameters=parameters,
        command=command,
        environment=pairs(container) | pairs(overrides),
        vcpus=float(resources["VCPU"]),
        memory_mib=int(resources["MEMORY"]),
        resources=tuple({"type": kind, "value": value} for kind, value in resources.items()),
        attempts=attempts(retry),
        rules=retry_rules(retry),
        timeout_s=timeout(request, definition),
        tags=request.get("tags", {}),
        log_group=log_group,
        log_prefix=log_prefix,
        override_characters=override_characters(command, overrides),
    )


def check_known(request: Mapping[str, Any]) -> None:
    """Raises `BatchError` for fields that the local AWS doesn't play."""
    for name in UNSUPPORTED:
        if request.get(name):
            raise client_error(f"The local AWS does not play {name} of SubmitJob; leave it out.")


def check_share(request: Mapping[str, Any], queue: LocalQueue, definition: LocalDefinition) -> None:
    """Raises `BatchError` where a queue with a scheduling policy lacks what it needs, or one without is given it.

    AWS's words, as in boto/boto3#3158 and nextflow-io/nextflow#3505; the last are the API reference's.
    """
    if queue.request.get("schedulingPolicyArn") is None:
        if request.get("shareIdentifier") is not None:
            raise client_error("shareIdentifier must not be specified: the job queue has no scheduling policy.")
        return
    if not request.get("shareIdentifier"):
        raise client_error("shareIdentifier must be specified.")
    if request.get("schedulingPriorityOverride") is None and "schedulingPriority" not in definition.request:
        raise client_error(
            "Either schedulingPriority in job definition or schedulingPriorityOverride should be specified."
        )


def job_name(request: Mapping[str, Any]) -> str:
    """The name of the job. Raises `BatchError` when Batch would not take it."""
    name = str(request.get("jobName", ""))
    if not JOB_NAME.fullmatch(name):
        raise client_error(f"Job name should match valid pattern {JOB_NAME.pattern}, got {name!r}.")
    return name


def substitute(command: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
    """A word that is exactly `Ref::name` becomes that parameter; one without a value stays as it is."""
    return tuple(
        parameters.get(word.removeprefix(REFERENCE), word) if word.startswith(REFERENCE) else word for word in command
    )


def merge_resources(container: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, str]:
    """VCPU, MEMORY and GPU by the overrides, or else by the definition. Raises `BatchError` without the first two."""
    merged: dict[str, str] = {}
    for source in (container, overrides):
        for field, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
            if source.get(field):
                merged[kind] = str(source[field])
        for one in source.get("resourceRequirements", ()):
            merged[one["type"]] = str(one["value"])
    for kind in ("VCPU", "MEMORY"):
        if kind not in merged:
            raise client_error(f"Resource requirements must include {kind}.")
    return merged


def pairs(container: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables of a container."""
    return {one["name"]: one.get("value", "") for one in container.get("environment", ())}


def attempts(retry: Mapping[str, Any]) -> int:
    """Number of attempts that a job may have. Raises `BatchError` outside of 1 to 10."""
    wanted = int(retry.get("attempts", 1))
    if not 1 <= wanted <= MAX_ATTEMPTS:
        raise client_error(f"Retry attempts must be between 1 and {MAX_ATTEMPTS}, got {wanted}.")
    return wanted


def retry_rules(retry: Mapping[str, Any]) -> tuple[RetryRule, ...]:
    """The `evaluateOnExit` rules in their order. Raises `BatchError` for more than five."""
    rules = retry.get("evaluateOnExit", ())
    if len(rules) > MAX_RULES:
        raise client_error(f"evaluateOnExit takes at most {MAX_RULES} entries, got {len(rules)}.")
    return tuple(
        RetryRule(
            str(rule["action"]),
            rule.get("onStatusReason"),
            rule.get("onReason"),
            rule.get("onExitCode"),
        )
        for rule in rules
    )


def timeout(request: Mapping[str, Any], definition: LocalDefinition) -> float | None:
    """Seconds for which an attempt may run, by the request or else the definition; None without a limit."""
    given = request.get("timeout") or definition.request.get("timeout") or {}
    return checked_timeout(given)


def checked_timeout(given: Mapping[str, Any]) -> float | None:
    """Seconds of a `timeout` object. Raises `BatchError` below Batch's minimum of 60."""
    seconds = given.get("attemptDurationSeconds")
    if seconds is None:
        return None
    if seconds < MIN_TIMEOUT_S:
        raise client_error(f"The minimum value for the timeout is {MIN_TIMEOUT_S} seconds, got {seconds}.")
    return float(seconds)


def log_names(definition: LocalDefinition) -> tuple[str, str]:
    """Log group and stream prefix of a definition, or Batch's own."""
    options = definition.container.get("logConfiguration", {}).get("options", {})
    group = options.get("awslogs-group", DEFAULT_LOG_GROUP)
    return group, options.get("awslogs-stream-prefix", definition.name)


def override_characters(command: Sequence[str], overrides: Mapping[str, Any]) -> int:
    """Length that ECS counts of the RunTask that Batch sends: the overrides as JSON, the final command in them."""
    container = {
        "name": "default",
        "command": list(command),
        "environment": overrides.get("environment", []),
        "resourceRequirements": overrides.get("resourceRequirements", []),
    }
    return len(json.dumps({"containerOverrides": [container]}, separators=(",", ":")))
