"""Description of a job for viewers: DescribeJobs' document without payload and values of the environment. Pure.

https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.payload_forms import BUNDLE_TEXT
from container.batch_job_wire.protocol import NOT_GIVEN, JobParameter
from engine.aws.batch_jobs import TEXT_LENGTH, BatchJob
from engine.aws.batch_states import BatchState
from engine.model import Attempt, Description

SHOWN_PARAMETERS: Final = tuple(one.value for one in JobParameter if one is not JobParameter.PAYLOAD)
"""The runner's own; a definition of somebody else's may have more, and those may hold anything."""
ENVIRONMENTS: Final = ("environment", "env")
"""Under these names Batch lists variables, for containers, nodes, tasks and pods alike."""
HARMLESS: Final = (BUNDLE_TEXT, NOT_GIVEN, "")
"""The runner's words for a payload that is not in the parameter; what names a bundle in S3 is left out."""
SHORTEST_SOUGHT: Final = 8
"""A hidden parameter is also looked for in all other texts; a shorter value occurs there by chance."""


def description_of(job: BatchJob, at: float) -> Description:
    """Describe a job of DescribeJobs' answer that was read at `at` (seconds since the epoch)."""
    return Description(
        at=at,
        status=job.state.value,
        status_reason=job.status_reason,
        attempts=tuple(_attempts(job)),
        attempts_allowed=job.attempts_allowed,
        vcpus=_whole(job.vcpus),
        memory_mib=_whole(job.memory_mib),
        gpus=_whole(job.gpus),
        log_group=job.log_group,
        log_stream=job.log_stream,
        text=json.dumps(redacted(job.document), indent=1, default=str),
    )


def redacted(job: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the document without payload and values of the environment; each is replaced by how long it was."""
    parameters = job.get("parameters") or {}
    hidden = [str(value) for name, value in parameters.items() if name not in SHOWN_PARAMETERS]
    secret = tuple(sorted((one for one in hidden if len(one) >= SHORTEST_SOUGHT), key=len, reverse=True))
    shown: dict[str, Any] = _without(dict(job), secret)
    return shown


def _without(value: Any, secret: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {quote_foreign(name): _entry(str(name), entry, secret) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without(one, secret) for one in value]
    if isinstance(value, str):
        for text in secret:
            value = value.replace(text, _hint(text))
        return quote_foreign(value, TEXT_LENGTH)
    return value


def _entry(name: str, value: Any, secret: tuple[str, ...]) -> Any:
    if name in ENVIRONMENTS and isinstance(value, list):
        return [{**one, "value": _hint(str(one.get("value", "")))} for one in value]
    if name == "parameters" and isinstance(value, Mapping):
        return {
            quote_foreign(one): _without(text, ()) if one in SHOWN_PARAMETERS else _payload(text)
            for one, text in value.items()
        }
    return _without(value, secret)


def _payload(text: str) -> str:
    form, _, _ = text.partition(":")
    return form if form in HARMLESS and (form or not text) else _hint(text)


def _hint(text: str) -> str:
    return f"({len(text):,} characters hidden)"


def _attempts(job: BatchJob) -> Iterator[Attempt]:
    """Batch lists an attempt when it is over; the one under way is made of the job's own fields."""
    for attempt in job.attempts:
        yield Attempt(
            started_at=attempt.started_at,
            stopped_at=attempt.stopped_at,
            exit_code=attempt.exit_code,
            reason="; ".join(filter(None, (attempt.status_reason, attempt.container_reason))),
            log_stream=attempt.log_stream,
        )
    if job.state is BatchState.RUNNING:
        yield Attempt(started_at=job.started_at, log_stream=job.container.get("logStreamName") or "")


def _whole(amount: float | None) -> int | None:
    """Fargate knows quarters of a vCPU: None, since a whole number would be wrong."""
    return int(amount) if amount is not None and float(amount).is_integer() else None
