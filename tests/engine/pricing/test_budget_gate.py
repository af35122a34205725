"""The gate that a budget puts before submissions."""

from __future__ import annotations

import pytest

from engine.errors import ConfigError
from engine.model import Budget, BudgetUnit, Price
from engine.pricing.budget_gate import BudgetGate, check_budget
from engine.telemetry.schema.light import LightState, light_of
from tests.support.engine.managed_tasks import Clock

FIFTY = Budget(50.0)
UNKNOWN = Price(note="denied: grant pricing:GetProducts")


class Spent:
    def __init__(self) -> None:
        self.money: float | None = 0.0
        self.vcpu_hours = 0.0

    def __call__(self, unit: BudgetUnit) -> float | None:
        return self.money if unit is BudgetUnit.MONEY else self.vcpu_hours


@pytest.mark.parametrize(("money", "is_open"), [(0.0, True), (49.99, True), (50.0, False), (70.0, False), (None, True)])
def test_it_is_open_until_the_budget_is_used(money: float | None, is_open: bool) -> None:
    spent = Spent()
    spent.money = money
    assert BudgetGate(FIFTY, spent, Clock()).is_open() is is_open


def test_vcpu_hours_need_no_price() -> None:
    spent = Spent()
    gate = BudgetGate(Budget(400, BudgetUnit.VCPU_HOURS), spent, Clock())
    spent.vcpu_hours, spent.money = 400.0, None
    assert not gate.is_open()
    assert gate.used == 400.0


def test_without_one_nothing_is_asked_and_nothing_told() -> None:
    gate = BudgetGate(None, Spent(), Clock())
    assert (gate.is_open(), gate.used, gate.links()) == (True, None, ())


def test_a_higher_one_opens_it_and_the_light_follows() -> None:
    spent, clock = Spent(), Clock()
    gate = BudgetGate(FIFTY, spent, clock)
    spent.money = 51.0
    clock.now += 60
    assert not gate.is_open()
    light = light_of(gate.links())
    assert (light.state, light.cause, light.since) == (
        LightState.DEGRADED,
        "the budget of 50.00 is spent",
        clock.now,
    )
    assert ":budget" in light.remedy
    gate.budget = Budget(80.0)
    assert light_of(gate.links()).state is LightState.OK


def test_money_can_not_be_kept_without_prices() -> None:
    with pytest.raises(ConfigError, match=r"a budget of 50\.00 .*grant pricing:GetProducts.*--price.*vcpuh") as raised:
        check_budget(FIFTY, UNKNOWN)
    assert raised.value.exit_code == 2
    check_budget(Budget(400, BudgetUnit.VCPU_HOURS), UNKNOWN)
    check_budget(FIFTY, Price(vcpu_hour=0.04))
