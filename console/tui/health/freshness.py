"""Freshness by source: how old jobs' states are, and whether AWS Batch can be asked for newer ones."""

from __future__ import annotations

from collections.abc import Iterable

from engine.telemetry.schema.messages import WITH_BATCH, LightState, Link, LinkId, ManagerView


def states_age(managers: Iterable[ManagerView], now: float) -> float | None:
    """Seconds since AWS Batch last answered about living jobs, of several managers the longest; None without any."""
    read = [manager.states_at for manager in managers if _has_jobs(manager)]
    return max((now - at for at in read if at is not None), default=None)


def stale_age(managers: Iterable[ManagerView], now: float) -> float | None:
    """As `states_age`, of those managers only for which AWS Batch doesn't answer at present; None: all is fresh."""
    return states_age((manager for manager in managers if manager.states_stale), now)


def describe_wait(managers: Iterable[ManagerView]) -> str:
    """What the engine waits for, or does, before jobs can come; empty when it is ready for them."""
    return next((wait for manager in managers if (wait := _wait(manager))), "")


def _has_jobs(manager: ManagerView) -> bool:
    return any(manager.counts.get(state) for state in WITH_BATCH)


def _wait(manager: ManagerView) -> str:
    if manager.draining:
        return "the engine drains: it takes no new tasks"
    scheduler = next((link for link in manager.links if link.id == LinkId.SCHEDULER), None)
    if scheduler is not None and not scheduler.up:
        return _describe_scheduler(scheduler, manager.links)
    light = manager.health
    return f"{light.name} is down: {light.cause}" if light.state is LightState.DOWN else ""


def _describe_scheduler(scheduler: Link, links: Iterable[Link]) -> str:
    if scheduler.heard_at is not None:
        return f"the scheduler does not answer: {scheduler.detail}"
    others = [link for link in links if link is not scheduler and not _waits_with_it(link)]
    bad = [link.detail for link in others if not link.up or link.degraded]
    if bad:
        return f"not connected to the scheduler yet: {bad[0]}"
    doing = "it looks for jobs of an earlier start" if others else "it checks the queue, the bucket and its lease"
    return f"not connected to the scheduler yet: {doing}"


def _waits_with_it(link: Link) -> bool:
    """Object storage's address comes from the scheduler."""
    return link.id == LinkId.OBJECT_STORAGE and not link.up and link.heard_at is None
