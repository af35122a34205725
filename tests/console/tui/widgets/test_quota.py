"""Quota pane: bars, unknown limits, sources and throttling."""

from __future__ import annotations

import msgspec
import pytest

from console.tui.widgets.quota import QuotaPane, mark
from engine.telemetry.schema.messages import (
    Quota,
    QuotaId,
)
from tests.support.console.single_pane import draw_pane, manager_view, snapshot_of
from tests.support.console.widget_samples import NOW


def quota(used: float | None, limit: float | None, **fields: object) -> Quota:
    return msgspec.structs.replace(Quota("slots", used, limit, "slots", "engine", NOW - 12), **fields)


@pytest.mark.parametrize(
    ("found", "sign"),
    [
        (quota(50, 100), " 50%"),
        (quota(80, 100), "!80%"),
        (quota(96, 100), "!!96%"),
        (quota(101, 100), " over"),
        (quota(100, 100, id=QuotaId.CONCURRENCY), " full"),
        (quota(97, 100, id=QuotaId.CONCURRENCY), " 97%"),
        (quota(103, 100, id=QuotaId.CONCURRENCY), " over"),
        (quota(1, 100, backoff_s=0.8), "THR"),
    ],
)
async def test_a_bar_says_how_near_its_limit_is(found: Quota, sign: str) -> None:
    pane = QuotaPane()
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(found,)))), 44, 6)
    assert sign in lines[1]


async def test_an_unknown_limit_has_no_bar_but_the_reason() -> None:
    pane = QuotaPane()
    found = quota(534, None, note="needs servicequotas:GetServiceQuota")
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(found,)))), 70, 6)
    assert "534/–  needs servicequotas:GetServiceQuota" in lines[1]
    assert not set("█░") & set(lines[1])


async def test_a_wide_quota_says_who_told_it_and_when() -> None:
    pane = QuotaPane()
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(quota(1, 10),)))), 120, 6)
    assert "1/10 slots  engine, 12s ago" in lines[1]


async def test_throttles_are_told_with_the_time_that_they_cost() -> None:
    pane = QuotaPane()
    found = quota(1, 10, throttles=99, recent_throttles=14, backoff_s=0.8)
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(found,)))), 44, 6)
    assert "throttled 14× in 5 min · backing off 0.8s" in lines[2]


async def test_one_line_of_quotas_has_the_fullest_first() -> None:
    pane = QuotaPane()
    found = (quota(1, 10), quota(9, 10, name="SubmitJob"), quota(None, None, name="EC2"))
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=found))), 80, 1)
    assert lines[0].rstrip() == " quota SubmitJob !90% 9/10 · slots 10% · EC2 –"


async def test_what_jobs_cost_is_told_without_a_budget_and_as_a_bar_with_one() -> None:
    pane = QuotaPane()
    cost = quota(12.4, None, name="cost", unit="money", id=QuotaId.BUDGET, note="1.24 an hour, 0.90 wasted")
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(cost,)))), 60, 6)
    assert "cost      12.40  1.24 an hour, 0.90 wasted" in lines[1]
    one = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(quota(1, 10), cost)))), 80, 1)
    assert one[0].rstrip() == " quota slots 10% · cost 12.40"
    bounded = msgspec.structs.replace(cost, limit=50.0)
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(bounded,)))), 60, 6)
    assert "25% 12.40/50.00" in lines[1]


async def test_throttles_of_long_ago_are_not_told() -> None:
    pane = QuotaPane()
    found = quota(1, 10, throttles=79)
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=(found,)))), 44, 6)
    assert "throttled" not in "".join(lines)


async def test_the_consoles_own_reads_are_the_last_of_the_one_line() -> None:
    pane = QuotaPane()
    found = (quota(9, 10, name="GetLogEvents"), quota(1, 10))
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(quotas=found))), 80, 1)
    assert lines[0].rstrip() == " quota slots 10% · GetLogEvents !90% 9/10"


@pytest.mark.parametrize(("used", "role"), [(100, "running"), (103, "warning")])
def test_full_slots_are_no_alarm(used: int, role: str) -> None:
    assert mark(quota(used, 100, id=QuotaId.CONCURRENCY))[1] == role


@pytest.mark.parametrize(("stale", "told"), [(False, "14s"), (True, "STALE")])
async def test_one_line_of_quotas_says_how_old_it_is(stale: bool, told: str) -> None:
    pane = QuotaPane()
    found = (quota(1, 10), quota(9, 10, name="SubmitJob"), quota(3, 10, name="EC2 On-Demand standard"))
    snapshot = snapshot_of(manager_view(quotas=found))
    lines = await draw_pane(pane, lambda: pane.show(snapshot, age_s=14.0, stale=stale), 48, 1)
    assert lines[0].startswith(" quota SubmitJob !90% 9/10 ")
    assert lines[0].endswith(f" {told} ")
