"""The job's settings: four arguments, which the job definition's `Ref::` parameters fill, and AWS Batch's variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from batch_job_quoting import quote_foreign
from batch_job_scaler import SchedulerAddress
from batch_job_wire.protocol import (
    CODE,
    NOT_GIVEN,
    PARALLEL,
    SEGMENTS,
    TEMPLATE,
    WITH_CODE,
    JobParameter,
    is_code_digest,
    job_options,
)

READ_PATIENCE_S: Final = 60  # an outage this long costs none of the three attempts
_INDEX: Final = "AWS_BATCH_JOB_ARRAY_INDEX"
_REQUIRED: Final = (JobParameter.STORE, JobParameter.SUBMISSION, JobParameter.PAYLOAD)


class UsageError(ValueError):
    """The arguments don't describe a job. One sentence."""


class Settings(NamedTuple):
    """`payload` is in one of the forms of `PayloadForm`; `child` is its index in its array, None for a single job.

    `patience_s` is how long S3 may fail before the call, until another attempt is asked for. `pack` is how many
    entries of the frame a child runs, `parallel` of them at once, and `timeout_s` how long each of those may take.
    """

    bucket: str
    prefix: str
    submission: str
    payload: str
    region: str | None
    python: str | None
    attempt: int
    child: int | None
    patience_s: float
    scheduler: SchedulerAddress  # for clients that the task makes
    owner: str | None = None  # account that the bucket must belong to
    code: str = ""  # digest of the archive that the task's modules come from before the image's
    pack: int = 1
    parallel: int = 1
    timeout_s: float | None = None
    has_segments: bool = False  # results of a pack may be written together
    may_use_template: bool = False  # tasks of a pack may be forked from a process that has their function loaded

    @classmethod
    def parse(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
        """Raises `UsageError`. Options that this release doesn't know are left alone: the manager may be newer."""
        values = _arguments(argv)
        bucket, prefix = _location(values[JobParameter.STORE])
        options = job_options(values[JobParameter.OPTIONS])
        return cls(
            bucket=bucket,
            prefix=prefix,
            submission=values[JobParameter.SUBMISSION],
            payload=values[JobParameter.PAYLOAD].removeprefix(WITH_CODE),
            region=options.get("region"),
            python=options.get("python"),
            attempt=_number(environ, "AWS_BATCH_JOB_ATTEMPT", 1),
            child=_number(environ, _INDEX, 0) if _INDEX in environ else None,
            patience_s=float(_number(options, "patience", READ_PATIENCE_S)),
            owner=options.get("owner"),
            code=_code(options, values[JobParameter.PAYLOAD]),
            scheduler=SchedulerAddress(options.get("scheduler", ""), options.get("transport", "")),
            pack=_number(options, "pack", 1),
            parallel=_number(options, PARALLEL, 1),
            timeout_s=float(_number(options, "timeout", 0)) or None,
            has_segments=_number(options, SEGMENTS, 0) == 1,
            may_use_template=_number(options, TEMPLATE, 0) == 1,
        )

    @property
    def is_packed(self) -> bool:
        """Whether the job runs entries of a packed frame."""
        return self.pack > 1

    def entries(self, tasks: int) -> range:
        """The entries that this job runs of a packed frame with so many `tasks`: a single job runs all."""
        if self.child is None:
            return range(tasks)
        first = self.child * self.pack
        return range(first, max(first + 1, min(first + self.pack, tasks)))


def _arguments(argv: Sequence[str]) -> dict[JobParameter, str]:
    given = dict(zip(argv[::2], argv[1::2], strict=False))
    values = {parameter: given.get(parameter.flag, NOT_GIVEN) for parameter in JobParameter}
    for parameter in _REQUIRED:
        if values[parameter] == NOT_GIVEN:
            raise UsageError(
                f"{parameter.flag} is missing: the job definition's command must hold it with its Ref:: parameter"
            )
    return values


def _location(url: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not prefix:
        raise UsageError(f"--store is {quote_foreign(url)!r}, expected s3://<bucket>/<prefix>")
    return bucket, prefix.rstrip("/")


def _code(options: Mapping[str, str], payload: str) -> str:
    digest = options.get(CODE, "")
    if bool(digest) is not payload.startswith(WITH_CODE) or (digest and not is_code_digest(digest)):
        raise UsageError(f"the option {CODE} is {quote_foreign(digest)!r}, expected a sha256 as the payload says")
    return digest


def _number(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name, str(default))
    if not text.isdecimal():
        raise UsageError(f"{name} is {quote_foreign(text)!r}, expected a number")
    return int(text)
