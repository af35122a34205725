"""Answers to diagnosis requests: the job behind them, AWS's side, and the engine's own checks."""

from __future__ import annotations

import msgspec
import pytest

from engine.aws.batch_states import BatchState
from engine.telemetry.schema.messages import (
    CheckResult,
    CheckStatus,
    Diagnose,
    Diagnosed,
    Diagnosis,
    VerdictKind,
)
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.diagnosis_answers import diagnose
from engine.telemetry.server.engine_checks import SLOTS, SUBMITTING, THROTTLING
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
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
def builder(managers: list[Managed]) -> SnapshotBuilder:
    return SnapshotBuilder(managers, Vitals("0.1"), managers[0].clock)


def results(answer: Diagnosed) -> dict[str, CheckStatus]:
    assert answer.diagnosis is not None
    return {check.name: check.result for check in answer.diagnosis.checks}


def test_a_queues_diagnosis_comes_with_what_only_the_engine_knows(
    managers: list[Managed], builder: SnapshotBuilder
) -> None:
    managers[1].introspection.diagnoses[""] = Diagnosed(FOUND)
    answer = diagnose(Diagnose("wm-2"), builder)
    assert list(results(answer)) == ["the queue takes jobs", SUBMITTING, SLOTS, THROTTLING]
    assert not answer.under_way


def test_a_task_is_diagnosed_by_the_job_that_carries_it(managers: list[Managed], builder: SnapshotBuilder) -> None:
    managers[0].tasks.submit(1)
    managers[0].introspection.diagnoses["job-1"] = Diagnosed(FOUND, under_way=True)
    answer = diagnose(Diagnose(task_id=id_of(1).hex()), builder)
    assert answer.under_way
    assert answer.diagnosis is not None
    assert answer.diagnosis.verdict == "blocked by capacity"


@pytest.mark.parametrize(
    ("tasks", "number", "state", "says"),
    [
        (6, 5, BatchState.RUNNING, "AWS has none. Child 1 runs 3 tasks, one after the other: this is number 2."),
        (6, 5, BatchState.PENDING, "this is number 2. It waits for those before it."),
        (3, 2, BatchState.RUNNING, "Its job runs 3 tasks, one after the other: this is number 2."),
    ],
    ids=["in a child", "behind others", "in a single job"],
)
def test_a_task_of_a_pack_is_told_by_child_and_place(
    managers: list[Managed], builder: SnapshotBuilder, tasks: int, number: int, state: BatchState, says: str
) -> None:
    manager = managers[0]
    manager.tasks.submit(*range(1, tasks + 1), pack=3)
    manager.tasks.records[number].batch_state = state
    manager.registry.on_changed(manager.tasks.records[number])
    manager.introspection.diagnoses["job-1:1" if tasks > 3 else "job-1"] = Diagnosed(FOUND)
    found = diagnose(Diagnose(task_id=id_of(number).hex()), builder).diagnosis
    assert found is not None
    assert says in found.text


@pytest.mark.parametrize(
    ("state", "kind", "verdict"),
    [
        (BatchState.RUNNING, VerdictKind.HEALTHY, "not stuck: it runs"),
        (BatchState.PENDING, VerdictKind.WAITING, "waiting for the tasks before it in its job"),
        (None, VerdictKind.HEALTHY, "it has ended"),
    ],
    ids=["runs", "behind others", "ended"],
)
def test_a_task_in_a_running_pack_is_judged_by_its_own_state_and_waits_for_no_slot(
    managers: list[Managed], builder: SnapshotBuilder, state: BatchState | None, kind: VerdictKind, verdict: str
) -> None:
    manager = managers[0]
    manager.tasks.submit(1, 2, 3, pack=3)
    manager.tasks.arrive(9)
    manager.tasks.slots_used = 4  # all are taken, and the ninth waits for one
    if state is None:
        manager.tasks.end(2)
    else:
        manager.tasks.records[2].batch_state = state
        manager.registry.on_changed(manager.tasks.records[2])
    runs = msgspec.structs.replace(FOUND, verdict="not stuck: it runs", kind=VerdictKind.HEALTHY)
    manager.introspection.diagnoses["job-1"] = Diagnosed(runs)
    found = diagnose(Diagnose(task_id=id_of(2).hex()), builder).diagnosis
    assert found is not None
    assert (found.kind, found.verdict, found.remedies) == (kind, verdict, ())


def test_a_task_with_a_job_of_its_own_has_no_place_in_it(managers: list[Managed], builder: SnapshotBuilder) -> None:
    managers[0].tasks.submit(1)
    managers[0].introspection.diagnoses["job-1"] = Diagnosed(FOUND)
    found = diagnose(Diagnose(task_id=id_of(1).hex()), builder).diagnosis
    assert found is not None
    assert found.text == FOUND.text


def test_nothing_is_waited_for(builder: SnapshotBuilder) -> None:
    answer = diagnose(Diagnose("wm-1"), builder)
    assert answer.under_way
    assert list(results(answer)) == [SUBMITTING, SLOTS, THROTTLING]


@pytest.mark.parametrize(
    ("used", "paused", "verdict", "says"),
    [
        (1, "", "waiting its turn", "read or collected"),
        (4, "", "waiting for a slot of ours", "All 4 slots"),
        (4, "ExpiredToken", "nothing can be submitted", "ExpiredToken"),
    ],
)
def test_a_task_without_a_job_is_diagnosed_by_the_engine_alone(
    managers: list[Managed], builder: SnapshotBuilder, used: int, paused: str, verdict: str, says: str
) -> None:
    managers[0].tasks.arrive(1)
    managers[0].tasks.slots_used, managers[0].tasks.paused = used, paused
    found = diagnose(Diagnose(task_id=id_of(1).hex()), builder).diagnosis
    assert found is not None
    assert found.verdict == verdict
    assert says in found.text


@pytest.mark.parametrize("request_", [Diagnose(), Diagnose("wm-9"), Diagnose(task_id="ff")])
def test_who_is_not_known_is_refused_in_words(builder: SnapshotBuilder, request_: Diagnose) -> None:
    with pytest.raises(QueryError, match=r"wm-1, wm-2|no task ff"):
        diagnose(request_, builder)


def test_the_only_manager_need_not_be_named() -> None:
    manager = Managed("wm-1")
    manager.introspection.diagnoses[""] = Diagnosed(FOUND)
    assert diagnose(Diagnose(), SnapshotBuilder([manager], Vitals("0.1"), manager.clock)).diagnosis is not None
