"""Checks of the payload routes: single and array jobs, inline and through S3, and whether the results are right."""

from __future__ import annotations

from typing import Any, Final

from container.batch_job_protocol import JobParameter, PayloadForm, payload_form
from provisioner.clients import Document
from provisioner.selftest.bench import Bench, size_of
from provisioner.selftest.model import CheckFailed

FILLER_BYTES: Final = 32 * 1024
"""More than any SubmitJob may hold."""
ARRAY: Final = 4
NUMBER: Final = 7


def single_inline(bench: Bench) -> str:
    """Run one task whose payload travels inside SubmitJob."""
    expect_values(bench.run("square", [[NUMBER]]), [NUMBER**2])
    return describe(only_job(bench, arrays=False), s3=False)


def single_s3(bench: Bench) -> str:
    """Run one task whose payload lies in S3."""
    expect_values(bench.run("square_of", [[NUMBER]], FILLER_BYTES), [[NUMBER**2, FILLER_BYTES]])
    return describe(only_job(bench, arrays=False), s3=True)


def array_inline(bench: Bench) -> str:
    """Run tasks that come together, their payloads inside SubmitJob."""
    expect_values(bench.run("square", [[number] for number in range(ARRAY)]), [number**2 for number in range(ARRAY)])
    return describe(only_job(bench, arrays=True), s3=False)


def array_s3(bench: Bench) -> str:
    """Run tasks that come together, their payloads in S3."""
    expected = [[number**2, FILLER_BYTES] for number in range(ARRAY)]
    expect_values(bench.run("square_of", [[number] for number in range(ARRAY)], FILLER_BYTES), expected)
    return describe(only_job(bench, arrays=True), s3=True)


def expect_values(outcomes: list[dict[str, Any]], values: list[Any]) -> None:
    """Raise `CheckFailed` unless the tasks gave just these values."""
    wanted = [{"value": value} for value in values]
    if outcomes != wanted:
        wrong, right = next(pair for pair in zip(outcomes, wanted, strict=True) if pair[0] != pair[1])
        raise CheckFailed(f"A task gave {wrong}, expected {right}.")


def only_job(bench: Bench, *, arrays: bool) -> Document:
    """The check's job; of tasks that came together the array's. Raises `CheckFailed`."""
    jobs = bench.await_jobs()
    fitting = [job for job in jobs if (size_of(job) > 1) is arrays]
    if not fitting or (not arrays and len(jobs) > 1):
        kinds = ", ".join(f"an array of {size_of(job)}" if size_of(job) > 1 else "a single job" for job in jobs)
        raise CheckFailed(f"The tasks came as {kinds}.")
    return fitting[0]


def describe(job: Document, *, s3: bool) -> str:
    """The job as evidence. Raises `CheckFailed` when its payload took another route."""
    form = payload_form(job["parameters"][JobParameter.PAYLOAD.value])
    if (form is PayloadForm.BUNDLE) is not s3:
        raise CheckFailed(f"The payload of job {job['jobId']} has the form {form.value!r}, which is another route.")
    kind = f"array of {size_of(job)}" if size_of(job) > 1 else "single job"
    return f"{kind} {job['jobId']}, payload {'in S3' if s3 else 'inline'}, results right"
