"""`scaler-batch status`: light, states, rates, routes, quotas and links of a running engine, once.

Its exit code is the light's: `EXIT_CODES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from console.cli.printing import print_facts, print_json, print_table
from console.cli.session import EngineOption, JsonOption, KeysOption, call_engine, connect
from console.format import UNKNOWN, age, count, describe_code, rate, size, span
from console.spending import describe_budget, describe_price, describe_usage, describe_wasted

if TYPE_CHECKING:
    from engine.telemetry.schema.messages import FullState, Light, Link, ManagerView, Quota, RouteStats, Snapshot

EXIT_CODES: Final = {"ok": 0, "degraded": 3, "down": 4}
"""By the state of the worst light; 1 and 2 are those of every command."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def status(engine: EngineOption = None, keys: KeysOption = None, json: JsonOption = False) -> None:
    """What a running engine is doing: its light, jobs by state, routes, quotas, links.

    The exit code is 0 while all is well, 3 when something that the engine lives from works badly, 4 when it is down.
    """
    from engine.telemetry.schema.messages import FullState, GetFullState, worst_light

    with connect(engine, keys) as client:
        state = call_engine(client, GetFullState(), FullState)
        name = client.endpoint.name
    if json:
        print_status_json(name, state)
    else:
        print_status(name, state.snapshot)
    light = worst_light(manager.health for manager in state.snapshot.managers)
    if code := EXIT_CODES[light.state.value]:
        raise typer.Exit(code)


def print_status_json(name: str, state: FullState) -> None:
    """Print the full state as one JSON object."""
    from engine.telemetry.schema.messages import worst_light
    from engine.telemetry.schema.objects import snapshot_object

    light = worst_light(manager.health for manager in state.snapshot.managers)
    print_json(
        {
            "version": state.version,
            "name": name,
            "engine": state.engine,
            "seq": state.seq,
            "snapshot": snapshot_object(state.snapshot),
            "light": light.state.value,
        }
    )


def print_status(name: str, snapshot: Snapshot) -> None:
    """Print engine and managers as facts and tables."""
    vitals = snapshot.vitals
    running = f"{vitals.version}, process {vitals.pid} on {vitals.host}, up {span(snapshot.at - vitals.started_at)}"
    cost = f"{vitals.cpu_share:.0%} of a core, {size(vitals.rss_bytes)}, loop {vitals.loop_lag_s * 1000:.0f} ms late"
    print_facts([("engine", f"{name}, scaler-batch {running}"), ("cost", cost)])
    for manager in snapshot.managers:
        print()
        _print_manager(manager, snapshot.at)


def _print_manager(manager: ManagerView, now: float) -> None:
    from engine.telemetry.schema.messages import JobState

    print_facts(_facts(manager, now))
    print()
    states = [(each.value, count(manager.counts.get(each, 0)), rate(manager.rates.get(each, 0.0))) for each in JobState]
    print_table(("state", "jobs", "entering"), states, ("jobs", "entering"))
    if manager.routes:
        print()
        routes = [
            (route.route, count(route.jobs), size(route.raw_bytes), size(route.wire_bytes), _p95(route))
            for route in manager.routes
        ]
        print_table(("route", "jobs", "raw", "sent", "p95"), routes, ("jobs", "raw", "sent", "p95"))
    if manager.quotas:
        print()
        quotas = [
            (each.name, _used(each), each.source, age(now - each.read_at), _trouble(each)) for each in manager.quotas
        ]
        print_table(("quota", "used", "source", "age", ""), quotas, ("used",))
    if manager.links:
        print()
        links = [
            (link.name, _state(link), age(now - link.since), _heard(link, now), link.detail) for link in manager.links
        ]
        print_table(("link", "is", "for", "heard", ""), links)


def _facts(manager: ManagerView, now: float) -> list[tuple[str, str]]:
    called = manager.manager if manager.name in ("", manager.manager) else f"{manager.name} ({manager.manager})"
    facts = [
        *_light_facts(manager.health, now),
        ("manager", f"{called}, queue {manager.queue}, definition {manager.definition}, {manager.region}"),
        ("slots", f"{count(manager.slots_used)} of {count(manager.slots)}{_packs(manager)}"),
    ]
    if manager.usage is not None:
        facts.append(("cost", describe_usage(manager.usage, manager.remaining)))
    if manager.price is not None:
        facts.append(("price", describe_price(manager.price, now)))
    if wasted := describe_wasted(manager):
        facts.append(("wasted", wasted))
    if manager.budget is not None:
        facts.append(("budget", describe_budget(manager.budget)))
    if manager.code is not None:
        facts.append(("code", describe_code(manager.code, now)))
    if manager.oldest_runnable_at is not None:
        facts.append(("runnable", f"the oldest for {age(now - manager.oldest_runnable_at)}"))
    if manager.paused:
        facts.append(("paused", manager.paused))
    if manager.draining:
        oldest = "" if manager.oldest_at is None else f", oldest {span(now - manager.oldest_at)}"
        facts.append(("draining", f"{count(manager.tasks_left)} left{oldest}; nothing more is submitted"))
    return facts


def _packs(manager: ManagerView) -> str:
    from engine.telemetry.schema.messages import QuotaId

    note = next((each.note for each in manager.quotas if each.id == QuotaId.CONCURRENCY), "")
    return f", {note}" if note else ""


def _light_facts(light: Light, now: float) -> list[tuple[str, str]]:
    if not light.name:
        return [("light", light.state.value)]
    since = "" if light.since is None else f" for {age(now - light.since)}"
    return [("light", f"{light.state.value}: {light.name}{since}, {light.cause}"), ("to do", light.remedy)]


def _state(link: Link) -> str:
    if not link.up:
        return "down"
    return "degraded" if link.degraded else "up"


def _heard(link: Link, now: float) -> str:
    return UNKNOWN if link.heard_at is None else age(now - link.heard_at)


def _p95(route: RouteStats) -> str:
    return size(route.p95_bytes) if route.recent_jobs else UNKNOWN


def _used(quota: Quota) -> str:
    used, limit = (UNKNOWN if each is None else f"{each:,.4g}" for each in (quota.used, quota.limit))
    return f"{used}/{limit} {quota.unit}"


def _trouble(quota: Quota) -> str:
    recent = quota.recent_throttles
    throttled = f"throttled {recent} {'time' if recent == 1 else 'times'} in 5 min" if recent else ""
    waiting = f"calls wait {quota.backoff_s:.1f} s" if quota.backoff_s else ""
    return ", ".join(filter(None, (throttled, waiting, quota.note)))
