"""Checks of the payload routes: single and array jobs, inline and through S3, and whether the results are right."""

from __future__ import annotations

from typing import Any, Final

from container.batch_job_wire.payload_forms import PayloadForm, payload_form
from container.batch_job_wire.protocol import JobParameter
from provisioner.clients import Document
from provisioner.selftest.bench import Bench, size_of
from provisioner.selftest.model import CheckFailed

FILLER_BYTES: Final = 32 * 1024
"""More than any SubmitJob may hold."""
TASKS: Final = 4
"""Tasks that are submitted together."""
ROUNDS: Final = 5
"""How often that is tried until some of them are one job."""
NUMBER: Final = 7


def single_inline(bench: Bench) -> str:
    """Run one task whose payload travels inside SubmitJob."""
    expect_values(bench.run("square", [[NUMBER]]), [NUMBER**2])
    return describe(only_job(bench), s3=False)


def single_s3(bench: Bench) -> str:
    """Run one task whose payload lies in S3."""
    expect_values(bench.run("square_of", [[NUMBER]], FILLER_BYTES), [[NUMBER**2, FILLER_BYTES]])
    return describe(only_job(bench), s3=True)


def array_inline(bench: Bench) -> str:
    """Run tasks that come together, their payloads inside SubmitJob."""
    values = [number**2 for number in range(TASKS)]
    return describe(_array(bench, "square", values, filler=0), s3=False)


def array_s3(bench: Bench) -> str:
    """Run tasks that come together, their payloads in S3."""
    values = [[number**2, FILLER_BYTES] for number in range(TASKS)]
    return describe(_array(bench, "square_of", values, filler=FILLER_BYTES), s3=True)


def _array(bench: Bench, function: str, values: list[Any], *, filler: int) -> Document:
    """An array job of tasks that came together; on a busy machine they come apart now and then."""
    for _ in range(ROUNDS):
        expect_values(bench.run(function, [[number] for number in range(TASKS)], filler), values)
        arrays = [job for job in bench.await_jobs() if size_of(job) > 1]
        if arrays:
            return arrays[0]
    raise CheckFailed(f"{ROUNDS} times {TASKS} tasks came apart, never as an array job.")


def expect_values(outcomes: list[dict[str, Any]], values: list[Any]) -> None:
    """Raise `CheckFailed` unless the tasks gave just these values."""
    wanted = [{"value": value} for value in values]
    if outcomes != wanted:
        wrong, right = next(pair for pair in zip(outcomes, wanted, strict=True) if pair[0] != pair[1])
        raise CheckFailed(f"A task gave {wrong}, expected {right}.")


def only_job(bench: Bench) -> Document:
    """The check's one job. Raises `CheckFailed` when there are more, or it is an array's."""
    jobs = bench.await_jobs()
    if len(jobs) != 1 or size_of(jobs[0]) > 1:
        raise CheckFailed(f"{len(jobs)} jobs were made for one task: {', '.join(job['jobId'] for job in jobs)}.")
    return jobs[0]


def describe(job: Document, *, s3: bool) -> str:
    """The job as evidence. Raises `CheckFailed` when its payload took another route."""
    form = payload_form(job["parameters"][JobParameter.PAYLOAD.value])
    if (form is PayloadForm.BUNDLE) is not s3:
        raise CheckFailed(f"The payload of job {job['jobId']} has the form {form.value!r}, which is another route.")
    kind = f"array of {size_of(job)}" if size_of(job) > 1 else "single job"
    return f"{kind} {job['jobId']}, payload {'in S3' if s3 else 'inline'}, results right"
