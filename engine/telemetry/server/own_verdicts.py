"""Verdicts that the engine's own state gives: what it lives from is down, its slots are taken, it drains. Pure.

AWS may find nothing wrong while work waits for the engine: then the verdict is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.diagnosis.model import Diagnosis, Remedy, VerdictKind
from engine.model import LinkId, LinkTrouble, QuotaId
from engine.telemetry.schema.light import Light, LightState
from engine.telemetry.schema.state import JobState, ManagerView

BY_ENGINE: Final = "the engine's own state"
ASKING: Final = "asking AWS"
VERDICTS: Final[Mapping[str, str]] = {
    LinkId.CREDENTIALS: "AWS credentials can't be used",
    LinkId.SCHEDULER: "the scheduler does not answer",
    LinkId.OBJECT_STORAGE: "Scaler's object storage does not answer",
    LinkId.S3: "S3 does not answer",
    LinkId.LEASE: "the lease is not renewed",
    LinkId.BATCH: "AWS Batch can't be read",
    LinkId.SUBMITS: "nothing can be submitted",
    LinkId.BUDGET: "the budget is spent",
}
TROUBLE_VERDICTS: Final[Mapping[str, str]] = {
    LinkTrouble.EXPIRED: "credentials expired: renew them",
    LinkTrouble.REFUSED: "credentials refused: give others",
    LinkTrouble.UNREADABLE: "credentials can't be read",
    LinkTrouble.NOT_WANTED: "the scheduler doesn't ask for this manager",
    LinkTrouble.WRONG_CLOCK: "this machine's clock is wrong: set it",
}
_NEEDS_NOBODY: Final = (VerdictKind.HEALTHY, VerdictKind.PROGRESSING, VerdictKind.WAITING)


class OwnVerdict(msgspec.Struct, frozen=True):
    """Verdict of the engine's state alone."""

    kind: VerdictKind
    verdict: str
    text: str
    remedies: tuple[Remedy, ...] = ()

    @property
    def wins(self) -> bool:
        """Whatever AWS says, this must be acted on first."""
        return self.kind is VerdictKind.BLOCKED


def judge_light(manager: ManagerView) -> OwnVerdict | None:
    """Verdict of the worst of what the manager lives from; None while all is well."""
    light = manager.health
    if light.state is LightState.OK:
        return None
    holds_up = light.part == LinkId.BUDGET or light.trouble == LinkTrouble.NOT_WANTED
    is_blocking = light.state is LightState.DOWN or holds_up
    kind = VerdictKind.BLOCKED if is_blocking else VerdictKind.SUSPECTED
    verdict = TROUBLE_VERDICTS.get(light.trouble) or VERDICTS.get(light.part) or f"{light.name} is down"
    return OwnVerdict(kind, verdict, _sentence(light), (Remedy(light.remedy),) if light.remedy else ())


def judge_engine(manager: ManagerView) -> OwnVerdict | None:
    """Verdict of the light, or of what else in the engine holds work up; None while nothing does."""
    return judge_light(manager) or _draining(manager) or _full(manager) or _throttled(manager)


def judge_over(diagnosis: Diagnosis, manager: ManagerView, *, of_job: bool = False) -> Diagnosis:
    """Lay the engine's verdict over AWS's, where it is the reason that work waits. A job waits for no slot of ours."""
    own = judge_engine(manager)
    if own is None or not (own.wins or diagnosis.kind in _NEEDS_NOBODY or diagnosis.kind is VerdictKind.UNREADABLE):
        return diagnosis
    if own.kind is VerdictKind.WAITING and (of_job or diagnosis.kind is not VerdictKind.HEALTHY):
        return diagnosis
    is_news = diagnosis.kind not in (*_NEEDS_NOBODY, VerdictKind.UNREADABLE)
    besides = f" AWS's side: {diagnosis.verdict}." if is_news else ""
    remedies = (*own.remedies, *(diagnosis.remedies if is_news else ()))
    return msgspec.structs.replace(
        diagnosis,
        kind=own.kind,
        verdict=own.verdict,
        certainty=BY_ENGINE,
        text=own.text + besides,
        remedies=remedies,
    )


def _sentence(light: Light) -> str:
    more = "" if not light.others else f" {light.others} more of what the engine lives from is not well, too."
    if light.part == LinkId.BUDGET:
        return f"{light.cause[:1].upper()}{light.cause[1:]}: nothing more is submitted, and what runs goes on.{more}"
    if light.trouble == LinkTrouble.NOT_WANTED:
        return f"{light.cause[:1].upper()}{light.cause[1:]}.{more}"
    how = "does not work" if light.state is LightState.DOWN else "works badly"
    return f"{light.name} {how}: {light.cause}. Nothing fails for it: work waits and goes on by itself.{more}"


def _draining(manager: ManagerView) -> OwnVerdict | None:
    if not manager.draining:
        return None
    text = f"The worker manager drains: {manager.tasks_left:,} tasks are left, and nothing new is started."
    return OwnVerdict(VerdictKind.WAITING, "the worker manager drains", text)


def _full(manager: ManagerView) -> OwnVerdict | None:
    waiting = manager.counts.get(JobState.QUEUED, 0)
    if manager.slots_used < manager.slots or not waiting:
        return None
    text = f"All {manager.slots:,} slots of the worker manager are taken; {waiting:,} tasks wait for one to get free."
    more = "allow more jobs at once: in the console :concurrency N, at the next start --max-concurrent-jobs N"
    return OwnVerdict(VerdictKind.WAITING, "waiting for a slot of ours", text, (Remedy(more),))


def _throttled(manager: ManagerView) -> OwnVerdict | None:
    quota = next((one for one in manager.quotas if one.id == QuotaId.SUBMIT_RATE and one.backoff_s > 0), None)
    if quota is None:
        return None
    text = f"AWS throttles SubmitJob: each call waits {quota.backoff_s:.1f} s at present."
    return OwnVerdict(VerdictKind.WAITING, "AWS throttles SubmitJob", text)
