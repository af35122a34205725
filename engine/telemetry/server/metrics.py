"""Prometheus exporter of the newest snapshot, on loopback (`--metrics-port`).

Owns the names of the metrics. The totals are those of the console; whatever is unknown has no sample, never a 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.errors import ConfigError
from engine.telemetry.schema.messages import IdleHosts, JobState, ManagerView, Snapshot, Usage

LOOPBACK: Final = "127.0.0.1"


class MetricsServer:
    """HTTP server on a thread of its own, until closed. `read` is called there: it returns the newest snapshot."""

    def __init__(self, port: int, read: Callable[[], Snapshot | None]) -> None:
        """Raises `ConfigError` when nothing can listen at `port`; 0 takes a free one."""
        registry = CollectorRegistry()
        registry.register(SnapshotCollector(read))
        try:
            self._server, self._thread = start_http_server(port, LOOPBACK, registry)
        except OSError as error:
            raise ConfigError(
                f"--metrics-port {port} can't be listened at ({error.strerror}): give a free port above 1023"
            ) from error

    @property
    def port(self) -> int:
        """Port that it listens at."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Stop listening and wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class SnapshotCollector(Collector):
    """Collector that makes metrics of a snapshot at every scrape."""

    def __init__(self, read: Callable[[], Snapshot | None]) -> None:
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Nothing: no snapshot is read before the first scrape."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Make the metrics of the newest snapshot; none without one."""
        snapshot = self._read()
        if snapshot is None:
            return
        yield from _engine(snapshot)
        yield from _managers(snapshot)
        for part in (_jobs, _spending, _routes, _calls, _quotas, _links):
            yield from part(snapshot.managers)


def _gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"scaler_batch_{name}", help, labels=labels)


def _counter(name: str, help: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"scaler_batch_{name}", help, labels=labels)


def _engine(snapshot: Snapshot) -> Iterator[Metric]:
    vitals = snapshot.vitals
    single: tuple[tuple[str, str, float], ...] = (
        ("snapshot_timestamp_seconds", "When these figures were taken.", snapshot.at),
        ("engine_start_time_seconds", "When the engine started.", vitals.started_at),
        ("engine_cpu_share", "Of one core, over the last ten seconds.", vitals.cpu_share),
        ("engine_resident_memory_bytes", "Memory of the engine's process.", vitals.rss_bytes),
        ("engine_loop_lag_seconds", "How late the event loop was at its worst in ten seconds.", vitals.loop_lag_s),
        ("engine_viewers", "Senders of requests in the last minute.", vitals.viewers),
        ("jobs_kept", "Jobs of which the engine still knows details.", snapshot.jobs_kept),
    )
    for name, help, value in single:
        family = _gauge(name, help)
        family.add_metric((), value)
        yield family
    info = _gauge("engine_info", "Always 1; the labels tell.", "version", "host")
    info.add_metric((vitals.version, vitals.host), 1)
    yield info


def _managers(snapshot: Snapshot) -> Iterator[Metric]:
    read: tuple[tuple[str, str, Callable[[ManagerView], float | None]], ...] = (
        ("slots", "max_concurrent_jobs at present.", lambda manager: manager.slots),
        ("slots_used", "Jobs under way.", lambda manager: manager.slots_used),
        ("tasks_under_way", "Tasks under way; a job may run several.", lambda manager: manager.tasks_under_way),
        (
            "light",
            "The worst of all that it lives from: 0 ok, 1 degraded, 2 down.",
            lambda manager: manager.health.state.level,
        ),
        ("failed_unacknowledged", "FAILED jobs that no person has acknowledged.", lambda manager: manager.failed_new),
        ("jobs_stuck", "RUNNABLE for over ten minutes, or with a reason.", lambda manager: manager.stuck),
        ("jobs_blocked", "Jobs that wait behind one for which AWS has no place.", lambda manager: manager.blocked),
        ("paused", "1 while nothing can be submitted.", lambda manager: bool(manager.paused)),
        ("draining", "1 while it ends.", lambda manager: manager.draining),
        ("dedup_saved_bytes", "Bytes that were not stored twice.", lambda manager: manager.dedup_saved_bytes),
        ("oldest_runnable_seconds", "How long the oldest RUNNABLE job has waited.", _oldest_runnable(snapshot.at)),
    )
    for name, help, value_of in read:
        family = _gauge(name, help, "manager")
        for manager in snapshot.managers:
            if (value := value_of(manager)) is not None:
                family.add_metric((manager.manager,), value)
        yield family


def _oldest_runnable(now: float) -> Callable[[ManagerView], float | None]:
    return lambda manager: None if manager.oldest_runnable_at is None else now - manager.oldest_runnable_at


def _jobs(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    jobs = _gauge("jobs", "Jobs by state; those that ended stay counted.", "manager", "state")
    for manager in managers:
        for state in JobState:
            jobs.add_metric((manager.manager, state.value), manager.counts.get(state, 0))
    yield jobs


def _spending(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    used: tuple[tuple[str, str, Callable[[Usage], float | None]], ...] = (
        ("vcpu_hours", "vCPU-hours that jobs have used.", lambda usage: usage.vcpu_hours),
        ("vcpu_hours_wasted", "Of runs that gave no result.", lambda usage: usage.wasted_vcpu_hours),
        ("cost", "What jobs have cost; none while prices are unknown.", lambda usage: usage.money),
        ("cost_wasted", "Cost of runs that gave no result.", lambda usage: usage.wasted_money),
        ("cost_per_hour", "Cost of an hour of the jobs that run now.", lambda usage: usage.money_per_hour),
    )
    for name, help, value_of in used:
        family = _gauge(name, help, "manager")
        for manager in managers:
            if manager.usage is not None and (value := value_of(manager.usage)) is not None:
                family.add_metric((manager.manager,), value)
        yield family
    yield from _idle_hosts(managers)
    yield from _budgets(managers)


def _idle_hosts(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    idle = _gauge("idle_vcpus", "vCPUs of the queue's EC2 hosts that no job of the manager has.", "manager")
    for manager in managers:
        if manager.idle_vcpus is not None:
            idle.add_metric((manager.manager,), manager.idle_vcpus)
    yield idle
    counted: tuple[tuple[str, str, Callable[[IdleHosts], float | None]], ...] = (
        (
            "vcpu_hours_idle",
            "Of EC2 hosts while no job of the manager had them.",
            lambda idle: idle.vcpu_hours,
        ),
        ("cost_idle", "Their cost at the least; none while prices are unknown.", lambda idle: idle.money),
        ("idle_seen_seconds", "How long it was seen how many vCPUs are idle.", lambda idle: idle.seen_s),
        ("idle_watched_seconds", "How long there may have been hosts.", lambda idle: idle.watched_s),
    )
    for name, help, value_of in counted:
        family = _gauge(name, help, "manager")
        for manager in managers:
            if manager.idle_hosts is not None and (value := value_of(manager.idle_hosts)) is not None:
                family.add_metric((manager.manager,), value)
        yield family


def _budgets(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    price = _gauge("price_vcpu_hour", "Price of a vCPU-hour without memory; none while it is unknown.", "manager")
    limit = _gauge("budget", "The budget, in money or vCPU-hours; none without one.", "manager", "unit")
    spent = _gauge("budget_spent", "1 while nothing is submitted for it.", "manager")
    for manager in managers:
        if manager.price is not None and manager.price.vcpu_hour is not None:
            price.add_metric((manager.manager,), manager.price.vcpu_hour)
        if manager.budget is not None:
            limit.add_metric((manager.manager, manager.budget.budget.unit.value), manager.budget.budget.limit)
            spent.add_metric((manager.manager,), manager.budget.is_spent)
    yield from (price, limit, spent)


def _routes(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    jobs = _counter("route_jobs", "Jobs by payload route.", "manager", "route")
    raw = _counter("route_raw_bytes", "Payload before compression, by route.", "manager", "route")
    wire = _counter("route_wire_bytes", "Payload as sent, by route.", "manager", "route")
    for manager in managers:
        for route in manager.routes:
            labels = (manager.manager, route.route)
            jobs.add_metric(labels, route.jobs)
            raw.add_metric(labels, route.raw_bytes)
            wire.add_metric(labels, route.wire_bytes)
    yield from (jobs, raw, wire)


def _calls(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    calls = _counter("aws_calls", "Calls to AWS.", "manager", "api")
    errors = _counter("aws_call_errors", "Calls that AWS answered with an error.", "manager", "api")
    throttles = _counter("aws_call_throttles", "Calls that AWS throttled.", "manager", "api")
    seconds = _gauge("aws_call_seconds", "Latency over five minutes.", "manager", "api", "quantile")
    for manager in managers:
        for call in manager.calls:
            labels = (manager.manager, call.api)
            calls.add_metric(labels, call.calls)
            errors.add_metric(labels, call.errors)
            throttles.add_metric(labels, call.throttles)
            seconds.add_metric((*labels, "0.5"), call.p50_ms / 1000)
            seconds.add_metric((*labels, "0.99"), call.p99_ms / 1000)
    yield from (calls, errors, throttles, seconds)


def _quotas(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    used = _gauge("quota_used", "How much of a limit is used.", "manager", "quota", "unit")
    limit = _gauge("quota_limit", "The limit.", "manager", "quota", "unit")
    for manager in managers:
        for quota in manager.quotas:
            labels = (manager.manager, quota.name, quota.unit)
            if quota.used is not None:
                used.add_metric(labels, quota.used)
            if quota.limit is not None:
                limit.add_metric(labels, quota.limit)
    yield from (used, limit)


def _links(managers: tuple[ManagerView, ...]) -> Iterator[Metric]:
    up = _gauge("link_up", "1 while the connection works.", "manager", "link")
    expires = _gauge("credentials_expire_timestamp_seconds", "When the credentials expire.", "manager", "link")
    for manager in managers:
        for link in manager.links:
            up.add_metric((manager.manager, link.name), link.up)
            if link.expires_at is not None:
                expires.add_metric((manager.manager, link.name), link.expires_at)
    yield from (up, expires)
