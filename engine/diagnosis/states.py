"""Jobs that are not RUNNABLE: what their state means, and for failed ones what AWS says why."""

from __future__ import annotations

from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.checks import image
from engine.diagnosis.evidence import DiagnosedJob, Evidence
from engine.diagnosis.findings import Cause, Certainty
from engine.diagnosis.model import CheckStatus, Remedy

CHILD_STATES: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
# What AWS's reasons of failed jobs mean, by a part of them.
ENDS: Final = (
    ("CannotPullContainerError", "its image could not be pulled"),
    ("OutOfMemoryError", "its container was killed because it needed more memory than it has"),
    ("Container Overrides length", "its overrides are longer than the 8,192 characters that ECS allows"),
    ("Host EC2", "its instance was taken away"),
    ("Your Spot Task was interrupted", "its Spot capacity was taken away"),
    ("Job attempt duration exceeded timeout", "it ran into its timeout"),
    ("JobStateTimeLimit", "AWS cancelled it, because it blocked the queue for longer than the queue allows"),
    ("ResourceInitializationError", "its container could not be set up: network, secrets or log group"),
)


def cause_of(evidence: Evidence, job: DiagnosedJob) -> Cause | None:
    """None for RUNNABLE jobs."""
    by_state = {
        "SUBMITTED": _submitted,
        "PENDING": _pending,
        "STARTING": _starting,
        "RUNNING": _running,
        "SUCCEEDED": _succeeded,
        "FAILED": _failed,
    }
    look = by_state.get(job.status)
    return None if look is None else look(evidence, job)


def unknown_job(evidence: Evidence, job_id: str) -> Cause:
    text = (
        f"AWS Batch does not know job {job_id} in this account and region. It forgets a job about a day after its "
        "end, and knows a new one a moment after it was submitted."
    )
    return Cause(
        verdict="unknown job", text=text, remedies=(remedies.look_at_job(evidence, job_id),), certainty=Certainty.AWS
    )


def _submitted(evidence: Evidence, job: DiagnosedJob) -> Cause:
    return _says("not stuck: just submitted", "AWS Batch is still looking at its dependencies: a matter of seconds.")


def _pending(evidence: Evidence, job: DiagnosedJob) -> Cause:
    if job.children:
        told = ", ".join(f"{job.children_in(state)} {state}" for state in CHILD_STATES if job.children_in(state))
        return _says("not stuck: its children go on", f"An array shows PENDING while its children live: {told}.")
    if not job.depends_on:
        return _says("waiting to be looked at", "It is PENDING without a dependency: AWS Batch has yet to look at it.")
    first = job.depends_on[0]
    more = f" and {len(job.depends_on) - 1} more" if len(job.depends_on) > 1 else ""
    text = f"It depends on job {first}{more}, and starts when all of them have succeeded."
    return _says("waiting for a dependency", text, remedies.look_at_job(evidence, first))


def _starting(evidence: Evidence, job: DiagnosedJob) -> Cause:
    fact = evidence.image
    seen = image.look(evidence, fact.value) if fact is not None and not fact.trouble else None
    if seen is not None and seen.result is CheckStatus.FAIL and seen.cause is not None:
        return seen.cause
    text = (
        "It has a place, and its container is being started: the image is pulled and the network set up. A large "
        "image takes minutes on an instance that has not pulled it before."
    )
    return _says("starting: its image is being pulled", text, remedies.look_at_job(evidence, job.id))


def _running(evidence: Evidence, job: DiagnosedJob) -> Cause:
    log = (remedies.read_log(evidence, job),) if job.log_stream else ()
    return _says("not stuck: it runs", "Its container runs: what it prints tells what it does.", *log)


def _succeeded(evidence: Evidence, job: DiagnosedJob) -> Cause:
    return _says("it has ended", "It has succeeded.")


def _failed(evidence: Evidence, job: DiagnosedJob) -> Cause:
    said = " · ".join(filter(None, (job.reason, job.container_reason)))
    meaning = next((text for part, text in ENDS if part in said), "")
    code = "" if job.exit_code is None else f" Its exit code was {job.exit_code}."
    attempts = f" after {job.attempts} attempts" if job.attempts > 1 else ""
    text = f"It has failed{attempts}: {meaning or said or 'AWS gives no reason'}.{code}"
    todo = []
    if "CannotPull" in said:
        todo.append(remedies.build_image(evidence))
    if "OutOfMemory" in said:
        todo.append(Remedy("give its tasks more memory: `memory` in their capabilities, or in the job definition"))
    if job.log_stream:
        todo.append(remedies.read_log(evidence, job))
    return _says("failed", text, *todo)


def _says(verdict: str, text: str, *todo: Remedy) -> Cause:
    return Cause(verdict=verdict, text=text, remedies=todo, certainty=Certainty.AWS)
