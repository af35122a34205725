"""Totals over one worker manager or all, in the shape that panes draw.

Counts and bytes add up. Percentiles can't be added: of several managers the worst one's are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from engine.telemetry.schema.messages import (
    ENDED,
    CallStats,
    JobState,
    LightState,
    ManagerView,
    Quota,
    Route,
    RouteStats,
    Snapshot,
)

T = TypeVar("T")

ROUTES: Final = tuple(route.value for route in Route)
"""In this order, whether used or not."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums at `at` of the engine's clock."""

    at: float
    counts: dict[JobState, int]
    rates: dict[JobState, float]
    routes: tuple[RouteStats, ...]
    calls: tuple[CallStats, ...]
    quotas: tuple[tuple[str, Quota], ...]
    """Pairs of manager id and quota; the id is empty when only one manager is shown."""
    oldest_runnable_at: float | None
    dedup_saved_bytes: int
    inline_limit: int
    failed_new: int
    """FAILED jobs that nobody has acknowledged."""
    queue_full: bool = False
    """The scheduler may hold more tasks for some of them."""
    halted: bool = False
    """Some of them submit nothing at present."""

    @property
    def total(self) -> int:
        """Number of jobs in all states."""
        return sum(self.counts.values())


def select_managers(snapshot: Snapshot, manager: str) -> Sequence[ManagerView]:
    """Views of the manager of that id; of all when it is empty."""
    return [view for view in snapshot.managers if manager in ("", view.manager)]


def has_work(view: ManagerView) -> bool:
    """True when the manager has tasks that have not ended."""
    return any(number for state, number in view.counts.items() if state not in ENDED)


def is_halted(view: ManagerView) -> bool:
    """True when it submits nothing at present, so that its pace tells nothing of what waits."""
    is_spent = view.budget is not None and view.budget.is_spent
    return bool(view.paused) or view.draining or is_spent or view.health.state is LightState.DOWN


def sum_managers(snapshot: Snapshot, manager: str = "") -> Totals:
    """Add up the views of one manager, or of all when `manager` is empty."""
    views = select_managers(snapshot, manager)
    waiting = [view.oldest_runnable_at for view in views if view.oldest_runnable_at is not None]
    several = len(views) > 1
    return Totals(
        at=snapshot.at,
        counts={state: sum(view.counts.get(state, 0) for view in views) for state in JobState},
        rates={state: sum(view.rates.get(state, 0.0) for view in views) for state in JobState},
        routes=_merged_routes(views),
        calls=_merged_calls(views),
        quotas=tuple((view.manager if several else "", quota) for view in views for quota in view.quotas),
        oldest_runnable_at=min(waiting, default=None),
        dedup_saved_bytes=sum(view.dedup_saved_bytes for view in views),
        inline_limit=min((view.inline_limit for view in views if view.inline_limit), default=0),
        failed_new=sum(view.failed_new for view in views),
        queue_full=any(view.queue_full for view in views),
        halted=any(map(is_halted, views)),
    )


def _merged_routes(views: Iterable[ManagerView]) -> tuple[RouteStats, ...]:
    groups = _grouped((route for view in views for route in view.routes), lambda route: route.route)
    names = [*ROUTES, *(name for name in groups if name not in ROUTES)]
    return tuple(_route(name, groups.get(name, [])) for name in names)


def _route(name: str, parts: Sequence[RouteStats]) -> RouteStats:
    return RouteStats(
        route=name,
        jobs=sum(part.jobs for part in parts),
        recent_jobs=sum(part.recent_jobs for part in parts),
        raw_bytes=sum(part.raw_bytes for part in parts),
        wire_bytes=sum(part.wire_bytes for part in parts),
        p50_bytes=max((part.p50_bytes for part in parts), default=0),
        p95_bytes=max((part.p95_bytes for part in parts), default=0),
    )


def _merged_calls(views: Iterable[ManagerView]) -> tuple[CallStats, ...]:
    groups = _grouped((call for view in views for call in view.calls), lambda call: call.api)
    return tuple(_call(api, parts) for api, parts in groups.items())


def _call(api: str, parts: Sequence[CallStats]) -> CallStats:
    newest = max(parts, key=lambda part: part.last_error_at or 0.0)
    return CallStats(
        api=api,
        calls=sum(part.calls for part in parts),
        errors=sum(part.errors for part in parts),
        throttles=sum(part.throttles for part in parts),
        p50_ms=max(part.p50_ms for part in parts),
        p99_ms=max(part.p99_ms for part in parts),
        last_error=newest.last_error,
        last_error_at=newest.last_error_at,
        recent_throttles=sum(part.recent_throttles for part in parts),
    )


def _grouped(parts: Iterable[T], name: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for part in parts:
        groups.setdefault(name(part), []).append(part)
    return groups
