"""Prometheus metrics: the console's totals, and no sample for what is unknown."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.errors import ConfigError
from engine.model import CallStats, Link, Quota
from engine.telemetry.schema.messages import Budget, BudgetView, IdleHosts, JobState, Price, RouteStats, Snapshot, Usage
from engine.telemetry.server.metrics import MetricsServer
from tests.support.engine.telemetry_samples import NOW, snapshot

COUNTS = {JobState.RUNNING: 3, JobState.SUCCEEDED: 70, JobState.UNKNOWN: 1, JobState.FAILED: 4}


@pytest.fixture
def shown() -> list[Snapshot]:
    return [
        snapshot(
            counts=COUNTS,
            routes=(RouteStats("s3", jobs=5, raw_bytes=900, wire_bytes=400),),
            calls=(CallStats("SubmitJob", calls=9, errors=2, throttles=1, p50_ms=20.0, p99_ms=90.0),),
            quotas=(Quota("slots", 3, 100, "slots", "engine", NOW), Quota("vCPUs", None, None, "vCPU", "AWS", NOW)),
            stuck=2,
            blocked=9,
            failed_acknowledged=1,
            links=(Link("AWS", True, NOW, expires_at=NOW + 900), Link("scheduler", False, NOW)),
        )
    ]


@pytest.fixture
def server(shown: list[Snapshot]) -> Iterator[MetricsServer]:
    server = MetricsServer(0, lambda: shown[0] if shown else None)
    yield server
    server.close()


def scrape(server: MetricsServer) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as response:
        text = response.read().decode()
    return {
        (sample.name.removeprefix("scaler_batch_"), *sorted(set(sample.labels.values()) - {"wm-1"})): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_totals_are_the_consoles(server: MetricsServer) -> None:
    found = scrape(server)
    assert {state: found["jobs", state.value] for state in JobState} == {each: COUNTS.get(each, 0) for each in JobState}
    assert found["slots_used",] == 3
    assert found["route_jobs_total", "s3"] == 5
    assert found["aws_calls_total", "SubmitJob"] == 9
    assert found["aws_call_seconds", "0.99", "SubmitJob"] == pytest.approx(0.09)
    assert (found["link_up", "AWS"], found["link_up", "scheduler"]) == (1, 0)
    assert found["credentials_expire_timestamp_seconds", "AWS"] == NOW + 900
    assert found["quota_limit", "slots"] == 100


def test_the_light_and_what_is_stuck_or_not_acknowledged_are_gauges(
    server: MetricsServer, shown: list[Snapshot]
) -> None:
    found = scrape(server)
    assert (found["light",], found["jobs_stuck",], found["jobs_blocked",], found["failed_unacknowledged",]) == (
        2,
        2,
        9,
        3,
    )
    shown[0] = snapshot(counts=COUNTS)
    found = scrape(server)
    assert found["light",] == 0
    assert ("jobs_stuck",) not in found


def test_what_jobs_cost_are_gauges_and_unknown_money_has_none(server: MetricsServer, shown: list[Snapshot]) -> None:
    usage = Usage(7200.0, 14400.0, 360.0, 720.0, 8.0, 16.0, 12.4, 0.62, 3.1)
    budget = BudgetView(Budget(12.0), 12.4, True)
    idle = IdleHosts(5400.0, 900.0, 1000.0, 0.06)
    shown[0] = snapshot(counts=COUNTS, usage=usage, price=Price(0.04), budget=budget, idle_vcpus=6.0, idle_hosts=idle)
    found = scrape(server)
    assert (found["vcpu_hours",], found["vcpu_hours_wasted",], found["idle_vcpus",]) == (2.0, 0.1, 6.0)
    assert (found["cost",], found["cost_wasted",], found["cost_per_hour",]) == (12.4, 0.62, 3.1)
    assert (found["vcpu_hours_idle",], found["cost_idle",]) == (1.5, 0.06)
    assert (found["idle_seen_seconds",], found["idle_watched_seconds",]) == (900.0, 1000.0)
    assert (found["price_vcpu_hour",], found["budget", "money"], found["budget_spent",]) == (0.04, 12.0, 1.0)
    shown[0] = snapshot(counts=COUNTS, usage=msgspec.structs.replace(usage, money=None), price=Price(note="denied"))
    found = scrape(server)
    assert found["vcpu_hours",] == 2.0
    assert not {("cost",), ("price_vcpu_hour",), ("budget_spent",), ("idle_vcpus",), ("cost_idle",)} & found.keys()


def test_the_unknown_has_no_sample(server: MetricsServer) -> None:
    found = scrape(server)
    assert not any("vCPU" in labels for labels in found)
    assert ("oldest_runnable_seconds",) not in found


def test_before_the_first_snapshot_there_is_nothing(server: MetricsServer, shown: list[Snapshot]) -> None:
    shown.clear()
    assert scrape(server) == {}


def test_a_port_that_is_taken_is_said_by_its_option(server: MetricsServer) -> None:
    with pytest.raises(ConfigError, match=f"--metrics-port {server.port}"):
        MetricsServer(server.port, lambda: None)
