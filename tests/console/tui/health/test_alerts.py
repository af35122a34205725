"""Alerts: what is wrong, the worst first, by what the engine counted."""

from __future__ import annotations

import pytest

from console.tui.actions import ACTIONS
from console.tui.health.alerts import Alert, alerts, alerts_of, describe_drain
from console.tui.state import ConsoleState, EngineOwnership
from engine.model import Link, LinkId, QuotaId
from engine.telemetry.schema.messages import Budget, BudgetView, JobState, LogStatus, ManagerView, Quota, Snapshot
from tests.support.console.frozen_console import lost
from tests.support.console.single_pane import manager_view, snapshot_of
from tests.support.console.widget_samples import NOW

SCHEDULER = Link("scheduler", False, NOW - 38, "no echo", id=LinkId.SCHEDULER)
BUDGET = Link("budget", True, NOW - 38, "the budget of 50.00 is spent", id=LinkId.BUDGET, degraded=True)
SPENT = BudgetView(Budget(50.0), 51.0, True)
WELL = manager_view(counts={JobState.RUNNING: 3})
FAILED = {JobState.FAILED: 16}
SLOWED = Quota("SubmitJob", 1, 50, "/s", "AWS", NOW, backoff_s=2.5, id=QuotaId.SUBMIT_RATE)


def told(view: ManagerView) -> list[Alert]:
    return alerts(snapshot_of(view))


def test_nothing_is_told_while_all_is_well() -> None:
    assert told(WELL) == alerts(None) == []


@pytest.mark.parametrize(
    ("changes", "role", "says", "key"),
    [
        ({"links": (SCHEDULER,)}, "error", "scheduler down 38s: no echo", "w, :engine"),
        (
            {"draining": True, "slots_used": 64, "oldest_at": NOW - 182},
            "warning",
            "64 left, oldest 3m02s",
            "",
        ),
        ({"blocked": 300, "stuck": 1, "stuck_reason": "CAPACITY"}, "stuck", "300 jobs wait behind CAPACITY", "w"),
        ({"stuck": 64}, "stuck", "64 jobs wait in RUNNABLE for more than 10m", "w"),
        ({"counts": FAILED, "failed_acknowledged": 13}, "failed", "3 new failures", "a"),
        (
            {"budget": SPENT, "links": (BUDGET,)},
            "warning",
            "paused: the budget of 50.00 is spent",
            ":budget 80 goes on",
        ),
        ({"quotas": (SLOWED,)}, "warning", "AWS throttles SubmitJob", "w"),
    ],
)
def test_each_trouble_is_an_alert_with_its_key(changes: dict[str, object], role: str, says: str, key: str) -> None:
    [alert] = told(manager_view(**{"counts": {}, **changes}))
    assert alert.role == role
    assert says in alert.text
    assert key in alert.key


def test_acknowledged_failures_are_no_alert() -> None:
    assert told(manager_view(counts=FAILED, failed_acknowledged=16)) == []


def test_new_failures_name_the_key_of_the_screen_that_tells_why() -> None:
    [alert] = alerts(snapshot_of(manager_view(counts=FAILED)), may_control=False)
    assert "a acknowledges" not in alert.key
    assert alert.key.split()[0] in {key for action in ACTIONS if action.id == "failures" for key in action.keys}


def test_a_log_that_may_not_be_read_is_an_alert() -> None:
    [alert] = alerts(snapshot_of(WELL), logs=LogStatus.DENIED)
    assert alert.key == "L"


def test_what_is_down_comes_before_what_a_person_just_did_and_that_before_the_rest() -> None:
    view = manager_view(links=(SCHEDULER,), counts=FAILED, stuck=3)
    found = alerts(snapshot_of(view), note="the next one is selected")
    assert [alert.role for alert in found] == ["error", "warning", "stuck", "failed"]


def test_an_engine_that_does_not_count_what_is_stuck_has_its_viewers_count() -> None:
    [alert] = alerts(snapshot_of(WELL), stuck=3, reason="CAPACITY")
    assert alert.text == "3 jobs wait in RUNNABLE: CAPACITY"


def test_the_counts_of_several_managers_add_up_and_one_can_be_chosen() -> None:
    both = snapshot_of(manager_view(counts=FAILED), manager_view(manager="gpu", counts={JobState.FAILED: 2}))
    assert alerts(both)[0].text == "18 new failures"
    assert alerts(both, manager="gpu")[0].text == "2 new failures"


def test_a_drain_without_anything_under_way_has_no_oldest() -> None:
    assert describe_drain(manager_view(slots_used=0), NOW) == "draining: 0 left"


def test_a_hundred_thousand_jobs_are_counted_by_the_engine() -> None:
    view = manager_view(counts={JobState.RUNNABLE: 100_000}, blocked=100_000, stuck=1, stuck_reason="CAPACITY")
    [alert] = alerts(Snapshot(NOW, (view,), snapshot_of().vitals, 100_000, True))
    assert alert.text == "100,000 jobs wait behind CAPACITY"


def test_the_end_of_the_own_engine_is_told_first_and_what_it_said_before_is_muted() -> None:
    source = lost()
    state = ConsoleState(source, "demo")
    state.own = EngineOwnership(lambda: "the engine ended with exit code 1; its log: here")
    first, *others = alerts_of(state)
    assert (first.role, first.text) == ("error", "the engine ended with exit code 1; its log: here")
    assert others
    assert {alert.role for alert in others} == {"muted"}
    assert not [alert for alert in others if "acknowledges" in alert.key]
