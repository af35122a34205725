"""Alerts of the dashboard, the worst first: what is wrong, how much waits for it, and the key that tells more.

Made from what the engine counted, so that they are right however many jobs there are. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console import format
from console.spending import raise_budget, spent_budgets
from console.tui.state import ConsoleState
from engine.telemetry.schema.messages import (
    BudgetView,
    LightState,
    LinkId,
    LogStatus,
    ManagerView,
    Quota,
    QuotaId,
    Snapshot,
)
from engine.telemetry.schema.query import STUCK_S

SLOWED_S: Final = 0.5
"""Calls of SubmitJob that wait for less are not felt."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: role of its sign, text, and the key or command that tells more."""

    role: str
    text: str
    key: str = ""
    advice: str = ""
    """What to do, told where there is room."""


def alerts(
    snapshot: Snapshot | None,
    *,
    manager: str = "",
    note: str = "",
    stuck: int | None = None,
    reason: str = "",
    logs: LogStatus | None = None,
    may_control: bool = True,
) -> list[Alert]:
    """All that is wrong at present. `stuck` and `reason` are the viewer's own, for an engine that counts neither.

    `note` is of the view about the selection; `logs`: state of the log that is shown. Keys that only a viewer with
    control has are named to those who have it.
    """
    views = [view for view in snapshot.managers if manager in ("", view.manager)] if snapshot else []
    now = snapshot.at if snapshot else 0.0
    made = [alert for view in views for alert in _of_light(view, now, LightState.DOWN)]
    made += [_spent(budget) for budget in spent_budgets(tuple(views))]
    if note:
        made.append(Alert("warning", note))
    made += [alert for view in views if view.draining for alert in (_draining(view, now),)]
    made += _waiting(views, stuck, reason)
    made += _failures(views, may_control)
    made += [alert for view in views for alert in _throttled(view.quotas)]
    made += [alert for view in views for alert in _of_light(view, now, LightState.DEGRADED)]
    if logs is LogStatus.DENIED:
        made.append(Alert("warning", "log lines may not be read: the log says which permission is missing", "L"))
    return made


def alerts_of(state: ConsoleState, *, note: str = "", logs: LogStatus | None = None) -> list[Alert]:
    """Alerts of what a console shows at present: muted when they are those of the last snapshot that came.

    Before all others stands how the console's own engine ended.
    """
    view = state.view
    told = alerts(
        state.replica.snapshot,
        manager=view.manager,
        note=note,
        stuck=view.stuck_count,
        reason=view.stuck_reason,
        logs=logs,
        may_control=state.may_write,
    )
    ended = state.own.ended() if state.own else ""
    if state.stale:
        told = [replace(alert, role="muted", advice="") for alert in told]
    return [Alert("error", ended), *told] if ended else told


def count_stuck(views: Iterable[ManagerView], own: int | None) -> int | None:
    """Number of stuck jobs: as the engine counts them, or `own` for one that doesn't."""
    counted = [view.stuck for view in views if view.stuck is not None]
    return sum(counted) if counted else own


def describe_drain(view: ManagerView, now: float) -> str:
    """Progress of a drain: `draining: 64 left, oldest 3m02s`."""
    oldest = "" if view.oldest_at is None else f", oldest {format.span(now - view.oldest_at)}"
    return f"draining: {format.count(view.tasks_left)} left{oldest}"


def _of_light(view: ManagerView, now: float, state: LightState) -> Iterator[Alert]:
    light = view.health
    if light.state is not state or light.part == LinkId.BUDGET:
        return
    since = "" if light.since is None else f" {format.age(now - light.since)}"
    is_down = state is LightState.DOWN
    more = f" (and {light.others} more)" if light.others else ""
    text = f"{light.name} {'down' if is_down else 'works badly'}{since}: {light.cause}{more}"
    yield Alert("error" if is_down else "warning", text, "w, :engine", light.remedy)


def _spent(view: BudgetView) -> Alert:
    text = f"paused: the budget of {view.budget.describe()} is spent"
    return Alert("warning", text, f"{raise_budget(view)} goes on")


def _draining(view: ManagerView, now: float) -> Alert:
    return Alert("warning", describe_drain(view, now), "nothing more is submitted")


def _waiting(views: Sequence[ManagerView], own: int | None, own_reason: str) -> Iterator[Alert]:
    blocked = sum(view.blocked for view in views)
    stuck = count_stuck(views, own) or 0
    reason = next((view.stuck_reason for view in views if view.stuck_reason), own_reason)
    if blocked:
        text = f"{format.count(blocked)} {'job waits' if blocked == 1 else 'jobs wait'} behind {reason}"
        yield Alert("stuck", text, "w")
    elif stuck:
        why = f": {reason}" if reason else f" for more than {format.age(STUCK_S)}"
        text = f"{format.count(stuck)} {'job waits' if stuck == 1 else 'jobs wait'} in RUNNABLE{why}"
        yield Alert("stuck", text, "w")


def _failures(views: Sequence[ManagerView], may_control: bool) -> Iterator[Alert]:
    new = sum(view.failed_new for view in views)
    if new:
        word = "failure" if new == 1 else "failures"
        keys = "F tells why, a acknowledges" if may_control else "F tells why"
        yield Alert("failed", f"{format.count(new)} new {word}", keys)


def _throttled(quotas: Iterable[Quota]) -> Iterator[Alert]:
    for quota in quotas:
        if quota.id == QuotaId.SUBMIT_RATE and quota.backoff_s >= SLOWED_S:
            text = f"AWS throttles SubmitJob, which slows submissions: each waits {quota.backoff_s:.1f} s"
            yield Alert("warning", text, "w")
