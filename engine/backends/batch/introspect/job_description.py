"""A job as DescribeJobs shows it, fit to be looked at: without its payload and the values of its environment. Pure.

https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from container.batch_job_protocol import BUNDLE_TEXT, NOT_GIVEN, JobParameter
from engine.aws import limits
from engine.backends.batch.track.failure import JobEnd
from engine.model import Attempt, Description

SHOWN_PARAMETERS: Final = tuple(one.value for one in JobParameter if one is not JobParameter.PAYLOAD)
"""The runner's own; a definition of somebody else's may have more, and those may hold anything."""
ENVIRONMENTS: Final = ("environment", "env")
"""Under these names Batch lists variables, for containers, nodes, tasks and pods alike."""
HARMLESS: Final = (BUNDLE_TEXT, NOT_GIVEN, "")
"""The runner's words for a payload that is not in the parameter."""
SHORTEST_SOUGHT: Final = 8
"""A hidden parameter is also looked for in all other texts; a shorter value occurs there by chance."""


def description_of(job: Mapping[str, Any], at: float) -> Description:
    """`job` is one of DescribeJobs' answer, read at `at` (seconds since the epoch)."""
    end, container = JobEnd.of(dict(job)), job.get("container") or {}
    wanted = {one["type"]: one["value"] for one in container.get("resourceRequirements") or ()}
    return Description(
        at=at,
        status=end.status,
        status_reason=end.status_reason,
        attempts=tuple(_attempts(job)),
        attempts_allowed=int((job.get("retryStrategy") or {}).get("attempts", 1)),
        vcpus=_whole(wanted.get("VCPU", container.get("vcpus"))),
        memory_mib=_whole(wanted.get("MEMORY", container.get("memory"))),
        gpus=_whole(wanted.get("GPU")),
        log_group=_log_group(container),
        log_stream=end.log_stream,
        text=json.dumps(redacted(job), indent=1, default=str),
    )


def redacted(job: Mapping[str, Any]) -> dict[str, Any]:
    """The same without payload and values of the environment; each says how long it was."""
    parameters = job.get("parameters") or {}
    hidden = [str(value) for name, value in parameters.items() if name not in SHOWN_PARAMETERS]
    secret = tuple(sorted((one for one in hidden if len(one) >= SHORTEST_SOUGHT), key=len, reverse=True))
    shown: dict[str, Any] = _without(dict(job), secret)
    return shown


def _without(value: Any, secret: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {name: _entry(str(name), entry, secret) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without(one, secret) for one in value]
    if isinstance(value, str):
        for text in secret:
            value = value.replace(text, _hint(text))
    return value


def _entry(name: str, value: Any, secret: tuple[str, ...]) -> Any:
    if name in ENVIRONMENTS and isinstance(value, list):
        return [{**one, "value": _hint(str(one.get("value", "")))} for one in value]
    if name == "parameters" and isinstance(value, Mapping):
        return {
            one: text if one in SHOWN_PARAMETERS or text in HARMLESS else _hint(text) for one, text in value.items()
        }
    return _without(value, secret)


def _hint(text: str) -> str:
    return f"({len(text):,} characters hidden)"


def _attempts(job: Mapping[str, Any]) -> Iterator[Attempt]:
    """Batch lists an attempt when it is over; the one under way is made of the job's own fields."""
    for attempt in job.get("attempts") or ():
        container = attempt.get("container") or {}
        yield Attempt(
            started_at=_seconds(attempt.get("startedAt")),
            stopped_at=_seconds(attempt.get("stoppedAt")),
            exit_code=container.get("exitCode"),
            reason="; ".join(filter(None, (attempt.get("statusReason"), container.get("reason")))),
            log_stream=container.get("logStreamName") or "",
        )
    if job.get("status") == "RUNNING":
        stream = (job.get("container") or {}).get("logStreamName") or ""
        yield Attempt(started_at=_seconds(job.get("startedAt")), log_stream=stream)


def _log_group(container: Mapping[str, Any]) -> str:
    logging = container.get("logConfiguration") or {}
    if logging.get("logDriver", "awslogs") != "awslogs":
        return ""
    group: str = (logging.get("options") or {}).get("awslogs-group", limits.DEFAULT_LOG_GROUP)
    return group


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _whole(value: Any) -> int | None:
    """Fargate knows quarters of a vCPU: None, since a whole number would be wrong."""
    return int(float(value)) if value is not None and float(value).is_integer() else None
