"""Why something waits, as telemetry answers it: whose job it is, what AWS told, and what only the engine knows."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import Link, Quota
from engine.telemetry.schema.messages import (
    CheckResult,
    CheckStatus,
    Diagnose,
    Diagnosed,
    Diagnosis,
    JobState,
    ManagerView,
)
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.diagnosis_answers import diagnosed
from engine.telemetry.server.own_checks import SLOTS, SUBMITTING, THROTTLING, own_checks
from engine.telemetry.server.snapshot_builder import SnapshotBuilder, view_of
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.managed_tasks import Managed, id_of

FOUND = Diagnosis(
    subject="queue queue",
    verdict="blocked by capacity",
    certainty="AWS says so",
    text="AWS has none.",
    reason="CAPACITY:…",
    checks=(CheckResult("the queue takes jobs", CheckStatus.PASS, "ENABLED, VALID", "batch:DescribeJobQueues", 7.0),),
    remedies=(),
    at=8.0,
)


@pytest.fixture
def managers() -> list[Managed]:
    return [Managed("wm-1"), Managed("wm-2")]


@pytest.fixture
def overview(managers: list[Managed]) -> SnapshotBuilder:
    return SnapshotBuilder(managers, Vitals("0.1"), managers[0].clock)


def results(answer: Diagnosed) -> dict[str, CheckStatus]:
    assert answer.diagnosis is not None
    return {check.name: check.result for check in answer.diagnosis.checks}


def view(**changes: object) -> ManagerView:
    return msgspec.structs.replace(view_of(Managed(), 0.0), **changes)


def test_a_queues_diagnosis_comes_with_what_only_the_engine_knows(
    managers: list[Managed], overview: SnapshotBuilder
) -> None:
    managers[1].introspection.diagnoses[""] = Diagnosed(FOUND)
    answer = diagnosed(Diagnose("wm-2"), overview)
    assert list(results(answer)) == ["the queue takes jobs", SUBMITTING, SLOTS, THROTTLING]
    assert not answer.under_way


def test_a_task_is_diagnosed_by_the_job_that_carries_it(managers: list[Managed], overview: SnapshotBuilder) -> None:
    managers[0].tasks.submit(1)
    managers[0].introspection.diagnoses["job-1"] = Diagnosed(FOUND, under_way=True)
    answer = diagnosed(Diagnose(task_id=id_of(1).hex()), overview)
    assert answer.under_way
    assert answer.diagnosis is not None
    assert answer.diagnosis.verdict == "blocked by capacity"


def test_nothing_is_waited_for(overview: SnapshotBuilder) -> None:
    assert diagnosed(Diagnose("wm-1"), overview) == Diagnosed(under_way=True)


@pytest.mark.parametrize(
    ("used", "paused", "verdict", "says"),
    [
        (1, "", "waiting its turn", "read or collected"),
        (4, "", "waiting its turn", "All 4 slots"),
        (4, "ExpiredToken", "blocked by refused credentials", "ExpiredToken"),
    ],
)
def test_a_task_without_a_job_is_diagnosed_by_the_engine_alone(
    managers: list[Managed], overview: SnapshotBuilder, used: int, paused: str, verdict: str, says: str
) -> None:
    managers[0].tasks.arrive(1)
    managers[0].tasks.slots_used, managers[0].tasks.paused = used, paused
    found = diagnosed(Diagnose(task_id=id_of(1).hex()), overview).diagnosis
    assert found is not None
    assert found.verdict == verdict
    assert says in found.text


@pytest.mark.parametrize("request_", [Diagnose(), Diagnose("wm-9"), Diagnose(task_id="ff")])
def test_who_is_not_known_is_refused_in_words(overview: SnapshotBuilder, request_: Diagnose) -> None:
    with pytest.raises(QueryError, match=r"wm-1, wm-2|no task ff"):
        diagnosed(request_, overview)


def test_the_only_manager_need_not_be_named() -> None:
    manager = Managed("wm-1")
    manager.introspection.diagnoses[""] = Diagnosed(FOUND)
    assert diagnosed(Diagnose(), SnapshotBuilder([manager], Vitals("0.1"), manager.clock)).diagnosis is not None


@pytest.mark.parametrize(
    ("manager", "name", "result", "evidence"),
    [
        (view(), SUBMITTING, CheckStatus.PASS, "all links are up"),
        (view(paused="ExpiredToken"), SUBMITTING, CheckStatus.FAIL, "ExpiredToken"),
        (view(draining=True), SUBMITTING, CheckStatus.WARN, "drains"),
        (view(links=(Link("scheduler", False, 0.0, "gone"),)), SUBMITTING, CheckStatus.WARN, "scheduler is down: gone"),
        (view(slots_used=3), SLOTS, CheckStatus.PASS, "3 of 4 slots: we are not the limiter"),
        (view(slots_used=4, counts={JobState.QUEUED: 9}), SLOTS, CheckStatus.WARN, "4 of 4 slots: 9 tasks wait"),
        (view(), THROTTLING, CheckStatus.UNKNOWN, "not counted yet"),
        (
            view(quotas=(Quota("SubmitJob", 46, 50, "/s", "", 0.0, 14),)),
            THROTTLING,
            CheckStatus.PASS,
            "throttled 14 times",
        ),
        (
            view(quotas=(Quota("SubmitJob", 9, 50, "/s", "", 0, 1, 2.5),)),
            THROTTLING,
            CheckStatus.WARN,
            "backing off 2.5 s",
        ),
    ],
)
def test_the_engines_own_checks(manager: ManagerView, name: str, result: CheckStatus, evidence: str) -> None:
    [check] = [one for one in own_checks(manager, 5.0) if one.name == name]
    assert check.result is result
    assert evidence in check.evidence
