"""Checks of the engine itself: submission, slots, throttling."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import Link, LinkId, LinkTrouble, Quota, QuotaId
from engine.telemetry.schema.light import TROUBLE_REMEDIES
from engine.telemetry.schema.messages import (
    Budget,
    BudgetView,
    CheckStatus,
    Diagnosis,
    JobState,
    ManagerView,
    VerdictKind,
)
from engine.telemetry.server.engine_checks import (
    SLOTS,
    SUBMITTING,
    THROTTLING,
    add_engine_checks,
    diagnose_meanwhile,
    engine_checks,
)
from engine.telemetry.server.own_verdicts import TROUBLE_VERDICTS, VERDICTS
from engine.telemetry.server.snapshot_builder import build_view
from tests.support.engine.managed_tasks import Managed

AWS_FINDS = Diagnosis("queue q", "nothing is stuck", "by evidence", "None.", "", (), (), 5.0, VerdictKind.HEALTHY)
CREDENTIALS = Link("AWS credentials", False, 0.0, "ExpiredToken", id=LinkId.CREDENTIALS, trouble=LinkTrouble.EXPIRED)
SCHEDULER = Link("scheduler", False, 0.0, "no echo", id=LinkId.SCHEDULER)
QUIET = Link("scheduler", True, 0.0, "nothing heard", id=LinkId.SCHEDULER, degraded=True)
BUDGET = Link("budget", True, 0.0, "the budget of 50.00 is spent", id=LinkId.BUDGET, degraded=True)
SLOWED = Quota("SubmitJob", 9, 50, "/s", "", 0, 1, 2.5, id=QuotaId.SUBMIT_RATE)


def view(**changes: object) -> ManagerView:
    return msgspec.structs.replace(build_view(Managed(), 0.0), **{"light": None, **changes})


@pytest.mark.parametrize(
    ("manager", "name", "result", "evidence"),
    [
        (view(), SUBMITTING, CheckStatus.PASS, "all links are up"),
        (view(paused="ExpiredToken"), SUBMITTING, CheckStatus.FAIL, "ExpiredToken"),
        (view(budget=BudgetView(Budget(50.0), 51.0, True)), SUBMITTING, CheckStatus.FAIL, "budget of 50.00 is spent"),
        (view(draining=True), SUBMITTING, CheckStatus.WARN, "drains"),
        (view(links=(Link("scheduler", False, 0.0, "gone"),)), SUBMITTING, CheckStatus.FAIL, "scheduler is down: gone"),
        (view(slots_used=3), SLOTS, CheckStatus.PASS, "3 of 4 slots: we are not the limiter"),
        (view(slots_used=4, counts={JobState.QUEUED: 9}), SLOTS, CheckStatus.WARN, "4 of 4 slots: 9 tasks wait"),
        (view(), THROTTLING, CheckStatus.UNKNOWN, "not counted yet"),
        (
            view(quotas=(Quota("SubmitJob", 46, 50, "/s", "", 0.0, 99, id=QuotaId.SUBMIT_RATE, recent_throttles=14),)),
            THROTTLING,
            CheckStatus.PASS,
            "throttled 14 times in the last five minutes",
        ),
        (
            view(quotas=(Quota("SubmitJob", 9, 50, "/s", "", 0, 1, 2.5, id=QuotaId.SUBMIT_RATE),)),
            THROTTLING,
            CheckStatus.WARN,
            "backing off 2.5 s",
        ),
    ],
)
def test_the_engines_own_checks(manager: ManagerView, name: str, result: CheckStatus, evidence: str) -> None:
    [check] = [one for one in engine_checks(manager, 5.0) if one.name == name]
    assert check.result is result
    assert evidence in check.evidence


@pytest.mark.parametrize(
    ("manager", "kind", "verdict", "remedy"),
    [
        (view(), VerdictKind.HEALTHY, "nothing is stuck", ""),
        (view(links=(CREDENTIALS,)), VerdictKind.BLOCKED, "credentials expired: renew them", "renew them"),
        (view(links=(SCHEDULER,)), VerdictKind.BLOCKED, "the scheduler does not answer", "scaler_scheduler runs"),
        (view(links=(QUIET,)), VerdictKind.SUSPECTED, "the scheduler does not answer", "scaler_scheduler runs"),
        (view(paused="the queue is off"), VerdictKind.BLOCKED, "nothing can be submitted", "allow it again"),
        (view(links=(BUDGET,)), VerdictKind.BLOCKED, "the budget is spent", ":budget AMOUNT"),
        (view(draining=True), VerdictKind.WAITING, "the worker manager drains", ""),
        (
            view(slots_used=4, counts={JobState.QUEUED: 9}),
            VerdictKind.WAITING,
            "waiting for a slot of ours",
            "more jobs",
        ),
        (view(quotas=(SLOWED,)), VerdictKind.WAITING, "AWS throttles SubmitJob", ""),
    ],
)
def test_what_holds_work_up_in_the_engine_is_the_verdict_where_aws_finds_nothing(
    manager: ManagerView, kind: VerdictKind, verdict: str, remedy: str
) -> None:
    found = add_engine_checks(AWS_FINDS, manager, 5.0)
    assert (found.kind, found.verdict) == (kind, verdict)
    assert remedy in "".join(one.text for one in found.remedies)


def test_slots_are_of_jobs_whatever_number_of_tasks_they_run() -> None:
    managed = Managed()
    managed.tasks.submit(*range(1, 13), pack=6)
    managed.tasks.slots_used, managed.tasks.tasks_a_job = 12, 6
    seen = build_view(managed, 0.0)
    slots = next(one for one in seen.quotas if one.id == QuotaId.CONCURRENCY)
    assert (seen.slots_used, seen.slots, seen.tasks_under_way, seen.tasks_left) == (2, 4, 12, 12)
    assert (slots.used, slots.limit, slots.note) == (2, 4, "12 tasks in these jobs")
    draining = msgspec.structs.replace(seen, draining=True)
    assert "12 tasks are left" in add_engine_checks(AWS_FINDS, draining, 5.0).text


def test_an_engine_of_an_older_release_tells_what_a_drain_waits_for_by_its_slots() -> None:
    assert view(slots_used=3, tasks_under_way=None).tasks_left == 3


def test_what_aws_finds_is_said_besides_a_link_that_is_down_and_wins_over_less() -> None:
    blocked = msgspec.structs.replace(AWS_FINDS, verdict="blocked by capacity", kind=VerdictKind.BLOCKED)
    assert "blocked by capacity" in add_engine_checks(blocked, view(links=(SCHEDULER,)), 5.0).text
    for manager in (view(links=(QUIET,)), view(draining=True)):
        assert add_engine_checks(blocked, manager, 5.0).verdict == "blocked by capacity"


def test_before_aws_answered_a_link_that_is_down_is_the_verdict_already() -> None:
    assert diagnose_meanwhile("queue q", view(), 5.0).kind is VerdictKind.PROGRESSING
    found = diagnose_meanwhile("queue q", view(links=(CREDENTIALS,)), 5.0)
    assert found.verdict == "credentials expired: renew them"
    assert [check.name for check in found.checks] == [SUBMITTING, SLOTS, THROTTLING]


def test_each_part_of_the_light_has_a_verdict_of_its_own() -> None:
    assert set(VERDICTS) == set(LinkId)
    assert set(TROUBLE_VERDICTS) == set(TROUBLE_REMEDIES) == set(LinkTrouble)
