"""The verdict: a pure function of the evidence.

A cause that settles the matter comes first, in the order of the ladder; then what AWS itself says; then what failed
without settling it; then what is suspicious. What AWS says comes and goes while an environment scales, so it is
final only when it has lasted for ten minutes and no instance is being started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.diagnosis import reasons, remedies, states
from engine.diagnosis.checks.table import LADDER
from engine.diagnosis.evidence import DiagnosedJob, Evidence
from engine.diagnosis.findings import LASTING_S, Assessment, Cause, Certainty, duration
from engine.diagnosis.model import NO_VERDICT, CheckResult, CheckStatus, Diagnosis

CERTAIN: Final = "the cause is certain without it"
NOTHING_WAITS: Final = "no job waits"
NOT_READ: Final = "what it needs could not be read"


def judge(evidence: Evidence) -> Diagnosis:
    """Everything that was found, with the verdict that follows from it."""
    cause = _settled(evidence) or _advised(evidence, _suspected(evidence))
    why_not = _why_not(evidence, cause)
    job = evidence.known_job
    return Diagnosis(
        subject=_subject(evidence),
        verdict=cause.verdict,
        certainty=_certainty(evidence, cause),
        text=cause.text,
        reason=job.reason if job is not None else "",
        checks=tuple(_check(evidence, one.name, why_not) for one in LADDER),
        remedies=cause.remedies,
        at=evidence.now,
    )


def is_settled(evidence: Evidence) -> bool:
    """Nothing that could still be read would change the verdict, or how certain it is."""
    cause = _settled(evidence)
    return cause is not None and cause.settles


def _settled(evidence: Evidence) -> Cause | None:
    by_state, job = _by_state(evidence), evidence.known_job
    if by_state is not None or (job is not None and job.status != "RUNNABLE"):
        return by_state
    causes = [seen.cause for seen in _all_seen(evidence) if seen.cause is not None]
    return next((one for one in causes if one.settles or _is_said(job, one)), None)


def _is_said(job: DiagnosedJob | None, cause: Cause) -> bool:
    """AWS names the cause, so what else is found further down the ladder is not it."""
    return job is not None and cause.certainty is Certainty.AWS and not reasons.is_symptom(job.reason)


def _by_state(evidence: Evidence) -> Cause | None:
    """A job that does not wait for a place; one that STARTS is settled once its image was looked at."""
    fact, job = evidence.job, evidence.known_job
    if fact is None or fact.trouble:
        return None
    if job is None:
        return states.unknown_job(evidence, evidence.job_id) if evidence.job_id is not None else None
    if job.status == "STARTING" and evidence.image is None:
        return None
    return states.cause_of(evidence, job)


def _suspected(evidence: Evidence) -> Cause:
    """The best that can be said when nothing settles it."""
    fact, job = evidence.job, evidence.known_job
    if fact is not None and fact.absent:
        return _nothing_waits(evidence)
    if job is None:
        return _unreadable(evidence)
    if (by_state := states.cause_of(evidence, job)) is not None:
        return by_state
    said = reasons.cause_of(evidence, job.reason) if job.reason else None
    return _found(evidence, CheckStatus.FAIL) or _scaling(evidence, said) or said or _weak(evidence, job)


def _found(evidence: Evidence, result: CheckStatus) -> Cause | None:
    """The first cause of a check that ended so, symptoms last; what AWS says is not among them."""
    causes = [seen.cause for seen in _all_seen(evidence) if seen.result is result and seen.cause is not None]
    found = [one for one in causes if one.verdict and one.certainty is not Certainty.AWS]
    return min(found, key=lambda one: one.symptom, default=None)


def _advised(evidence: Evidence, cause: Cause) -> Cause:
    """With what else can be bettered, since the cause may lie there."""
    advice = [seen.cause for seen in _all_seen(evidence) if seen.cause is not None and not seen.cause.verdict]
    more = tuple(remedy for one in advice for remedy in one.remedies)
    return replace(cause, remedies=(*cause.remedies, *more))


def _scaling(evidence: Evidence, said: Cause | None) -> Cause | None:
    """An environment that starts instances gets a symptom against its name for a while."""
    if said is None or not evidence.scaling:
        return None
    text = "Instances are being started. AWS gives such a reason while an environment scales from zero; wait."
    return Cause(verdict="instances are starting", text=text, passes=True)


def _weak(evidence: Evidence, job: DiagnosedJob) -> Cause:
    return _found(evidence, CheckStatus.PASS) or _found(evidence, CheckStatus.WARN) or _no_cause(evidence, job)


def _no_cause(evidence: Evidence, job: DiagnosedJob) -> Cause:
    unread = [check.name for check in _checks(evidence) if check.result is CheckStatus.UNKNOWN]
    blind = f" These could not be read: {', '.join(unread)}." if unread else ""
    text = f"It has waited for {duration(evidence.waited_s)}, and nothing that was read tells why.{blind}"
    return Cause(verdict="no cause found", text=text, passes=True)


def _nothing_waits(evidence: Evidence) -> Cause:
    text = f"No job of queue {evidence.queue_name} waits for a place."
    return Cause(verdict="nothing is stuck", text=text)


def _unreadable(evidence: Evidence) -> Cause:
    troubles = list(dict.fromkeys(check.evidence for check in _checks(evidence) if check.result is CheckStatus.UNKNOWN))
    text = f"What is needed for a verdict could not be read: {'; '.join(troubles[:2]) or 'nothing was read'}."
    return Cause(verdict=NO_VERDICT, text=text, remedies=(remedies.look_around(evidence),))


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


def _all_seen(evidence: Evidence) -> list[Assessment]:
    found = [rung.seen(evidence) for rung in LADDER]
    return [seen for seen in found if seen is not None]


def _checks(evidence: Evidence) -> Sequence[CheckResult]:
    return [rung.check(evidence, NOT_READ) for rung in LADDER]


def _check(evidence: Evidence, name: str, why_not: str) -> CheckResult:
    return next(rung.check(evidence, why_not) for rung in LADDER if rung.name == name)
