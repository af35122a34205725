"""States of jobs that are not RUNNABLE: what each means, and for failed jobs why, in AWS's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.aws.batch_states import BatchState
from engine.diagnosis import remedies
from engine.diagnosis.assessment import Cause, Certainty
from engine.diagnosis.checks import image
from engine.diagnosis.evidence import DiagnosedJob, Evidence
from engine.diagnosis.model import CheckStatus, Remedy, VerdictKind

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


def explain_state(evidence: Evidence, job: DiagnosedJob) -> Cause | None:
    """What the job's state means for it; None for RUNNABLE jobs."""
    by_state: dict[str, Callable[[Evidence, DiagnosedJob], Cause]] = {
        BatchState.SUBMITTED: _submitted,
        BatchState.PENDING: _pending,
        BatchState.STARTING: _starting,
        BatchState.RUNNING: _running,
        BatchState.SUCCEEDED: _succeeded,
        BatchState.FAILED: _failed,
    }
    explain = by_state.get(job.status)
    return None if explain is None else explain(evidence, job)


def explain_unknown_job(evidence: Evidence, job_id: str) -> Cause:
    """AWS Batch has no job of that id."""
    text = (
        f"AWS Batch does not know job {job_id} in this account and region. It forgets a job about a day after its "
        "end, and knows a new one a moment after it was submitted."
    )
    return _cause(VerdictKind.NOT_FOUND, "unknown job", text, remedies.describe_job(evidence, job_id))


def _submitted(evidence: Evidence, job: DiagnosedJob) -> Cause:
    text = "AWS Batch is still looking at its dependencies: a matter of seconds."
    return _cause(VerdictKind.HEALTHY, "not stuck: just submitted", text)


def _pending(evidence: Evidence, job: DiagnosedJob) -> Cause:
    if job.children:
        counts = ", ".join(f"{job.children_in(state)} {state}" for state in BatchState if job.children_in(state))
        packs = f" Each child runs up to {job.pack:,} tasks, {how_packed(job.parallel)}." if job.pack > 1 else ""
        text = f"An array shows PENDING while its children live: {counts}.{packs}"
        return _cause(VerdictKind.HEALTHY, "not stuck: its children go on", text)
    if not job.depends_on:
        text = "It is PENDING without a dependency: AWS Batch has yet to look at it."
        return _cause(VerdictKind.WAITING, "waiting to be looked at", text)
    first = job.depends_on[0]
    more = f" and {len(job.depends_on) - 1} more" if len(job.depends_on) > 1 else ""
    text = f"It depends on job {first}{more}, and starts when all of them have succeeded."
    return _cause(VerdictKind.WAITING, "waiting for a dependency", text, remedies.describe_job(evidence, first))


def _starting(evidence: Evidence, job: DiagnosedJob) -> Cause:
    fact = evidence.image
    assessment = image.assess(evidence, fact.value) if fact is not None and not fact.error else None
    if assessment is not None and assessment.result is CheckStatus.FAIL and assessment.cause is not None:
        return assessment.cause
    text = (
        "It has a place, and its container is being started: the image is pulled and the network set up. A large "
        "image takes minutes on an instance that has not pulled it before."
    )
    return _cause(
        VerdictKind.PROGRESSING, "starting: its image is being pulled", text, remedies.describe_job(evidence, job.id)
    )


def _running(evidence: Evidence, job: DiagnosedJob) -> Cause:
    log = (remedies.read_log(evidence, job),) if job.log_stream else ()
    tasks = f" up to {job.pack:,} tasks, {how_packed(job.parallel)}" if job.pack > 1 else ""
    text = f"Its container runs{tasks}: what it prints tells what it does."
    return _cause(VerdictKind.HEALTHY, "not stuck: it runs", text, *log)


def _succeeded(evidence: Evidence, job: DiagnosedJob) -> Cause:
    return _cause(VerdictKind.HEALTHY, "it has ended", "It has succeeded.")


def _failed(evidence: Evidence, job: DiagnosedJob) -> Cause:
    reason = " · ".join(filter(None, (job.reason, job.container_reason)))
    meaning = next((text for part, text in ENDS if part in reason), "")
    code = "" if job.exit_code is None else f" Its exit code was {job.exit_code}."
    attempts = f" after {job.attempts} attempts" if job.attempts > 1 else ""
    text = f"It has failed{attempts}: {meaning or reason or 'AWS gives no reason'}.{code}"
    todo = []
    if "CannotPull" in reason:
        todo.append(remedies.build_image(evidence))
    if "OutOfMemory" in reason:
        todo.append(remedies.give_memory())
    if job.log_stream:
        todo.append(remedies.read_log(evidence, job))
    return _cause(VerdictKind.FAILED, "failed", text, *todo)


def _cause(kind: VerdictKind, verdict: str, text: str, *todo: Remedy) -> Cause:
    return Cause(kind=kind, verdict=verdict, text=text, remedies=todo, certainty=Certainty.AWS)


def how_packed(parallel: int) -> str:
    """How a job runs its tasks, in words."""
    return "one after the other" if parallel == 1 else f"{parallel:,} at once"
