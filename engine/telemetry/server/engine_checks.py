"""Checks of the engine itself for a diagnosis: is it the one that holds work back? Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckResult, CheckStatus, Diagnosis, VerdictKind
from engine.model import Quota, QuotaId
from engine.telemetry.schema.state import JobRow, JobState, ManagerView
from engine.telemetry.server.own_verdicts import ASKING, BY_ENGINE, OwnVerdict, judge_engine, judge_light, judge_over

SUBMITTING: Final = "jobs can be submitted"
SLOTS: Final = "our own concurrency limit"
THROTTLING: Final = "SubmitJob throttling"
SOURCE: Final = "engine"


def engine_checks(manager: ManagerView, at: float) -> tuple[CheckResult, ...]:
    """Check submission, slots and throttling. `at`: when the view was taken, seconds since the epoch."""
    results = {
        CheckId.SUBMISSION: _submitting(manager, at),
        CheckId.CONCURRENCY: _slots(manager, at),
        CheckId.THROTTLING: _throttling(manager, at),
    }
    return tuple(msgspec.structs.replace(result, id=id_) for id_, result in results.items())


def add_engine_checks(diagnosis: Diagnosis, manager: ManagerView, at: float, *, of_job: bool = False) -> Diagnosis:
    """Append the engine's checks to those of AWS, and let its state change the verdict where it is the limiter."""
    checks = (*diagnosis.checks, *engine_checks(manager, at))
    return msgspec.structs.replace(judge_over(diagnosis, manager, of_job=of_job), checks=checks)


def diagnose_meanwhile(subject: str, manager: ManagerView, at: float) -> Diagnosis:
    """Diagnose by the engine's checks alone, while AWS has answered nothing yet."""
    own = judge_light(manager)
    checks = engine_checks(manager, at)
    if own is None:
        text = "No answer yet: up to two dozen calls, two a second."
        return Diagnosis(subject, ASKING, "", text, "", checks, (), at, VerdictKind.PROGRESSING)
    return Diagnosis(subject, own.verdict, BY_ENGINE, own.text, "", checks, own.remedies, at, own.kind)


def diagnose_unsubmitted(row: JobRow, manager: ManagerView, at: float) -> Diagnosis:
    """Diagnose a task that has no job yet: AWS knows nothing of it, so the engine's checks are all there is."""
    own = judge_engine(manager) or OwnVerdict(
        VerdictKind.WAITING,
        "waiting its turn",
        "It is being read or collected with others, which takes about a second.",
    )
    return Diagnosis(
        subject=f"task {row.task_id[:8]} of {manager.queue}",
        verdict=own.verdict,
        certainty="by evidence",
        text=f"It has no job yet. {own.text}",
        reason="",
        checks=engine_checks(manager, at),
        remedies=own.remedies,
        at=at,
        kind=own.kind,
    )


def _submitting(manager: ManagerView, at: float) -> CheckResult:
    down = [link for link in manager.links if not link.up]
    if manager.paused:
        return CheckResult(SUBMITTING, CheckStatus.FAIL, manager.paused, SOURCE, at)
    if down:
        lost = "; ".join(f"{link.name} is down: {link.detail}" for link in down)
        return CheckResult(SUBMITTING, CheckStatus.FAIL, lost, SOURCE, at)
    if manager.budget is not None and manager.budget.is_spent:
        spent = f"the budget of {manager.budget.budget.describe()} is spent"
        return CheckResult(SUBMITTING, CheckStatus.FAIL, spent, SOURCE, at)
    if manager.draining:
        return CheckResult(SUBMITTING, CheckStatus.WARN, "the worker manager drains: it takes no new tasks", SOURCE, at)
    return CheckResult(SUBMITTING, CheckStatus.PASS, "credentials are valid, all links are up", SOURCE, at)


def _slots(manager: ManagerView, at: float) -> CheckResult:
    used = f"{manager.slots_used:,} of {manager.slots:,} slots"
    if manager.slots_used < manager.slots:
        return CheckResult(SLOTS, CheckStatus.PASS, f"{used}: we are not the limiter", SOURCE, at)
    waiting = manager.counts.get(JobState.QUEUED, 0)
    return CheckResult(SLOTS, CheckStatus.WARN, f"{used}: {waiting:,} tasks wait with the manager", SOURCE, at)


def _throttling(manager: ManagerView, at: float) -> CheckResult:
    quota = next((one for one in manager.quotas if one.id == QuotaId.SUBMIT_RATE), None)
    if quota is None or quota.used is None or quota.limit is None:
        return CheckResult(THROTTLING, CheckStatus.UNKNOWN, "not counted yet: the worker manager is starting", SOURCE)
    result = CheckStatus.WARN if quota.backoff_s > 0 else CheckStatus.PASS
    return CheckResult(THROTTLING, result, _rate(quota), SOURCE, at)


def _rate(quota: Quota) -> str:
    rate = f"{quota.used:g} of {quota.limit:g} a second"
    if quota.recent_throttles:
        rate += f", throttled {quota.recent_throttles:,} times in the last five minutes"
    return f"{rate}, backing off {quota.backoff_s:.1f} s" if quota.backoff_s else rate
