"""Judge of a diagnosis: the verdict as a pure function of the evidence.

A cause that settles the matter comes first, in the order of the checks' table; then what AWS itself says; then what
failed without settling it; then what is suspicious. What AWS says comes and goes while an environment scales, so it
is final only when it has lasted for ten minutes and no instance is being started.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.aws.batch_states import BatchState
from engine.diagnosis import reasons, remedies, states
from engine.diagnosis.assessment import LASTING_S, Assessment, Cause, Certainty, format_duration
from engine.diagnosis.checks.table import CHECKS
from engine.diagnosis.evidence import DiagnosedJob, Evidence
from engine.diagnosis.model import CheckResult, CheckStatus, Diagnosis, VerdictKind

CERTAIN: Final = "the cause is certain without it"
NOTHING_WAITS: Final = "no job waits"
NOT_YET: Final = "not read yet"
NOT_READ: Final = "what it needs could not be read"


def judge(evidence: Evidence) -> Diagnosis:
    """Diagnosis of the evidence: every check, and the verdict that follows from them."""
    cause = _settled(evidence) or _advised(evidence, _suspected(evidence))
    why_not = _why_not(evidence, cause)
    job = evidence.known_job
    return Diagnosis(
        subject=_subject(evidence),
        verdict=cause.verdict,
        certainty=_certainty(evidence, cause),
        text=cause.text,
        reason=job.reason if job is not None else "",
        checks=tuple(check.result(evidence, why_not) for check in CHECKS),
        remedies=cause.remedies,
        at=evidence.now,
        kind=cause.kind,
    )


def describe_progress(evidence: Evidence) -> Diagnosis:
    """What was read so far, while AWS is still being asked: the checks, without a verdict."""
    job = evidence.known_job
    checks = tuple(check.result(evidence, NOT_YET) for check in CHECKS)
    done = sum(check.result is not CheckStatus.NOT_RUN for check in checks)
    return Diagnosis(
        subject=_subject(evidence),
        verdict="asking AWS",
        certainty="",
        text=f"{done} of up to {len(checks)} checks are read.",
        reason=job.reason if job is not None else "",
        checks=checks,
        remedies=(),
        at=evidence.now,
        kind=VerdictKind.PROGRESSING,
    )


def is_settled(evidence: Evidence) -> bool:
    """Nothing that could still be read would change the verdict, or how certain it is."""
    cause = _settled(evidence)
    return cause is not None and cause.settles


def _settled(evidence: Evidence) -> Cause | None:
    by_state, job = _by_state(evidence), evidence.known_job
    if by_state is not None or (job is not None and job.status != BatchState.RUNNABLE):
        return by_state
    causes = [one.cause for one in _assessments(evidence) if one.cause is not None]
    return next((one for one in causes if one.settles or _is_stated(job, one)), None)


def _is_stated(job: DiagnosedJob | None, cause: Cause) -> bool:
    """AWS names the cause, so what else is found by later checks is not it."""
    return job is not None and cause.certainty is Certainty.AWS and not reasons.is_symptom(job.reason)


def _by_state(evidence: Evidence) -> Cause | None:
    """Cause of a job that does not wait for a place; one that is STARTING is settled once its image was read."""
    fact, job = evidence.job, evidence.known_job
    if fact is None or fact.error:
        return None
    if job is None:
        return states.explain_unknown_job(evidence, evidence.job_id) if evidence.job_id is not None else None
    if job.status == BatchState.STARTING and evidence.image is None:
        return None
    return states.explain_state(evidence, job)


def _suspected(evidence: Evidence) -> Cause:
    """Best cause that can be named when nothing settles it."""
    fact, job = evidence.job, evidence.known_job
    if fact is not None and fact.absent:
        return _nothing_waits(evidence)
    if job is None:
        return _unreadable(evidence)
    if (by_state := states.explain_state(evidence, job)) is not None:
        return by_state
    stated = reasons.explain_reason(evidence, job.reason) if job.reason else None
    return _found(evidence, CheckStatus.FAIL) or _scaling(evidence, stated) or stated or _weak(evidence, job)


def _found(evidence: Evidence, result: CheckStatus) -> Cause | None:
    """The first cause of a check that ended so, symptoms last; what AWS says is not among them."""
    causes = [one.cause for one in _assessments(evidence) if one.result is result and one.cause is not None]
    found = [one for one in causes if one.certainty is not Certainty.AWS]
    return min(found, key=lambda one: one.symptom, default=None)


def _advised(evidence: Evidence, cause: Cause) -> Cause:
    """The cause with all advice, since it may lie there."""
    advice = tuple(remedy for one in _assessments(evidence) for remedy in one.advice)
    return replace(cause, remedies=(*cause.remedies, *advice))


def _scaling(evidence: Evidence, stated: Cause | None) -> Cause | None:
    """An environment that starts instances gets a symptom against its name for a while."""
    if stated is None or not evidence.scaling:
        return None
    text = "Instances are being started. AWS gives such a reason while an environment scales from zero; wait."
    return Cause(kind=VerdictKind.PROGRESSING, verdict="instances are starting", text=text, passes=True)


def _weak(evidence: Evidence, job: DiagnosedJob) -> Cause:
    return _found(evidence, CheckStatus.PASS) or _found(evidence, CheckStatus.WARN) or _no_cause(evidence, job)


def _no_cause(evidence: Evidence, job: DiagnosedJob) -> Cause:
    unread = [check.name for check in _results(evidence) if check.result is CheckStatus.UNKNOWN]
    blind = f" These could not be read: {', '.join(unread)}." if unread else ""
    text = f"It has waited for {format_duration(evidence.waited_s)}, and nothing that was read tells why.{blind}"
    return Cause(kind=VerdictKind.UNDETERMINED, verdict="no cause found", text=text, passes=True)


def _nothing_waits(evidence: Evidence) -> Cause:
    text = f"No job of queue {evidence.queue_name} waits for a place."
    return Cause(kind=VerdictKind.HEALTHY, verdict="nothing is stuck", text=text)


def _unreadable(evidence: Evidence) -> Cause:
    errors = list(dict.fromkeys(check.evidence for check in _results(evidence) if check.result is CheckStatus.UNKNOWN))
    text = f"What is needed for a verdict could not be read: {'; '.join(errors[:2]) or 'nothing was read'}."
    todo = (remedies.run_doctor(evidence),)
    return Cause(kind=VerdictKind.UNREADABLE, verdict="no verdict", text=text, remedies=todo)


def _certainty(evidence: Evidence, cause: Cause) -> Certainty:
    if cause.passes and (evidence.waited_s < LASTING_S or evidence.scaling):
        return Certainty.MAY_PASS
    return cause.certainty


def _subject(evidence: Evidence) -> str:
    job = evidence.known_job
    if job is not None:
        return f"job {job.id} ({job.name}) in queue {evidence.queue_name}"
    if evidence.job_id is not None:
        return f"job {evidence.job_id}"
    return f"queue {evidence.queue_name}"


def _why_not(evidence: Evidence, cause: Cause) -> str:
    if evidence.job is not None and evidence.job.absent and evidence.job_id is None:
        return NOTHING_WAITS
    return CERTAIN if cause.settles and is_settled(evidence) else NOT_READ


def _assessments(evidence: Evidence) -> list[Assessment]:
    assessments = [check.assessment(evidence) for check in CHECKS]
    return [one for one in assessments if one is not None]


def _results(evidence: Evidence) -> list[CheckResult]:
    return [check.result(evidence, NOT_READ) for check in CHECKS]
