"""What jobs cost and need, in words."""

from __future__ import annotations

import pytest

from console import format
from console.spending import (
    describe_budget,
    describe_fit,
    describe_price,
    describe_remaining,
    describe_usage,
    describe_wasted,
    raise_budget,
)
from engine.telemetry.schema.messages import Budget, BudgetUnit, BudgetView, Fit, IdleHosts, Price, Remaining, Usage
from tests.support.console.single_pane import manager_view

USAGE = Usage(7200.0, 14400.0, 360.0, 720.0, 8.0, 16.0, 12.4, 0.9, 1.24)
UNPRICED = Usage(7200.0, 14400.0, 0.0, 0.0, 8.0, 16.0)
LEFT = Remaining(3600.0, 7200.0, 4.1, 6.0)


def test_spent_an_hour_and_to_the_end() -> None:
    assert describe_usage(USAGE, LEFT) == "12.40 spent; 1.24 an hour; 4.10–6.00 more to the end"


def test_without_prices_they_are_vcpu_hours() -> None:
    left = Remaining(3600.0, 7200.0, more=True)
    assert describe_usage(UNPRICED, left) == "2.00 vCPU-hours spent; 8 vCPUs now; ≥1.00–2.00 vCPU-hours more to the end"


def test_unknown_usage_is_no_zero() -> None:
    assert describe_usage(None, None) == format.UNKNOWN


def test_a_range_of_one_figure_is_one_figure() -> None:
    assert describe_remaining(Remaining(1.0, 1.0, 4.1, 4.1), ascii=True) == "4.10"
    assert describe_remaining(Remaining(1.0, 1.0, 0.001, 0.002)) == "<0.01"


def test_next_to_nothing_at_the_least_is_one_sign() -> None:
    assert describe_remaining(Remaining(1.0, 1.0, 0.001, 0.002, more=True)) == "≥0.00"


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (None, "–"),
        (Price(note="denied: grant pricing:GetProducts"), "unknown: denied: grant pricing:GetProducts"),
        (Price(0.04, low=0.04, high=0.04, source="--price", read_at=0.0), "0.04 a vCPU-hour, --price, 10s ago"),
        (
            Price(0.03, 0.003, 0.03, 0.05, 8, "AWS price list", 0.0, "denied"),
            "0.03 to 0.05 a vCPU-hour of 8 instance types, AWS price list, 10s ago; denied",
        ),
    ],
)
def test_a_price_has_its_range_its_source_and_its_age(price: Price | None, said: str) -> None:
    assert describe_price(price, 10.0) == said


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (BudgetView(Budget(50.0), 31.2, False), "31.20 of 50.00"),
        (
            BudgetView(Budget(50.0), 50.4, True),
            "50.40 of 50.00; paused: the budget of 50.00 is spent; :budget 80 goes on",
        ),
        (BudgetView(Budget(400.0, BudgetUnit.VCPU_HOURS), None, False), "– of 400 vCPU-hours"),
        (
            BudgetView(Budget(10.0, BudgetUnit.VCPU_HOURS), 12.0, True),
            "12.0 of 10 vCPU-hours; paused: the budget of 10 vCPU-hours is spent; :budget 16vcpuh goes on",
        ),
    ],
)
def test_a_budget_tells_what_is_used_of_it(view: BudgetView, said: str) -> None:
    assert describe_budget(view) == said


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        (Fit(900, 1843, 212, 230, 1.0, None, 512), "asks 1,843 MiB, p95 212 MiB: 512 fits 3.6 times as many"),
        (Fit(9, 1843, 212, 230, 4.0, 0.91, None), "asks 1,843 MiB, p95 212 MiB; 4 vCPU, p95 0.91 busy"),
        (Fit(9, None, 212, 230, None, 0.91, None), "of several sizes, p95 212 MiB"),
    ],
)
def test_a_fit_is_advice_only_where_there_is_some(fit: Fit, said: str) -> None:
    assert describe_fit(fit) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [(None, "–"), (0.0, "0.00"), (0.0004, "<0.01"), (12.4, "12.40"), (999.5, "999.50"), (1240, "1.2k")],
)
def test_money_above_nothing_is_never_nothing(amount: float | None, said: str) -> None:
    assert format.money(amount) == said


@pytest.mark.parametrize(
    ("hours", "said"), [(None, "–"), (0.001, "<0.01"), (1.5, "1.50"), (12.34, "12.3"), (1240, "1.2k")]
)
def test_vcpu_hours_are_short(hours: float | None, said: str) -> None:
    assert format.hours(hours) == said


@pytest.mark.parametrize(
    ("limit", "used", "command"),
    [
        (50.0, 51.0, ":budget 80"),
        (0.02, 0.09, ":budget 0.144"),
        (50.0, 79.9, ":budget 128"),
        (900.0, 901.0, ":budget AMOUNT"),
    ],
)
def test_the_budget_that_is_offered_lets_jobs_go_on(limit: float, used: float, command: str) -> None:
    assert raise_budget(BudgetView(Budget(limit), used, True)) == command


HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"usage": UNPRICED, "idle_hosts": IdleHosts(0.0, HOUR_S, HOUR_S, 0.0), "idle_vcpus": 0.0}, ""),
        ({"usage": USAGE}, "0.90 by runs without a result"),
        (
            {"usage": USAGE, "idle_hosts": IdleHosts(2 * HOUR_S, HOUR_S, HOUR_S, 0.3)},
            "0.90 by runs without a result; at least 0.30 by idle hosts",
        ),
        (
            {"idle_hosts": IdleHosts(2 * HOUR_S, 2400.0, 3 * HOUR_S, 0.3)},
            "at least 0.30 by idle hosts, seen 40m00s of 3h00m",
        ),
        ({"idle_hosts": IdleHosts(2 * HOUR_S, HOUR_S, HOUR_S)}, "2.00 vCPU-hours by idle hosts"),
        ({"idle_hosts": IdleHosts(0.0, 0.0, 3 * HOUR_S)}, "idle hosts: seen 0.0s of 3h00m"),
        (
            {"idle_vcpus": 48.0, "price": Price(0.04)},
            "now 48 vCPUs of hosts without a job of this manager, at least 1.92 an hour",
        ),
        ({"idle_vcpus": 48.0, "price": Price(note="denied")}, "now 48 vCPUs of hosts without a job of this manager"),
    ],
)
def test_wasted_are_runs_and_idle_hosts_as_far_as_these_were_seen(facts: dict[str, object], said: str) -> None:
    assert describe_wasted(manager_view(**facts)) == said


def test_wasted_vcpu_hours_are_told_while_prices_are_unknown() -> None:
    usage = Usage(7200.0, 14400.0, 1800.0, 720.0, 8.0, 16.0)
    assert describe_wasted(manager_view(usage=usage)) == "0.50 vCPU-hours by runs without a result"
