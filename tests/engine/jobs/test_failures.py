"""Inbox of failures: one entry a function and cause, whatever the number of jobs."""

from __future__ import annotations

import pickle

import pytest

from engine.model import JobObservation
from engine.tasks.task_record import TaskState
from engine.telemetry.schema.messages import Failure, GetFailures
from engine.telemetry.tally.failures import HOSTS_KEPT, NO_REASON, FailureInbox, Mishap, failures_of_rows
from tests.support.engine.managed_tasks import Clock, Managed, Tasks, id_of


@pytest.fixture
def managed() -> Managed:
    return Managed(clock=Clock(1000.0))


@pytest.fixture
def tasks(managed: Managed) -> Tasks:
    return managed.tasks


def fail(managed: Managed, number: int, reason: str, function: str = "price") -> None:
    managed.tasks.arrive(number).function_name = function
    managed.tasks.submit(number)
    managed.tasks.end(number, succeeded=False, reason=reason)


def test_a_million_equal_failures_are_one_entry_with_first_last_and_a_sample(managed: Managed) -> None:
    for number in range(30):
        managed.clock.now += 1
        fail(managed, number, "exit code 7")
    [found] = managed.registry.failures.failures()
    assert found == Failure("wm-1", "price", "exit code 7", 30, 0, 0, 1001.0, 1030.0, id_of(29).hex())


def test_functions_and_causes_are_told_apart(managed: Managed) -> None:
    fail(managed, 1, "exit code 7")
    fail(managed, 2, "exit code 9")
    fail(managed, 3, "exit code 7", "calibrate")
    assert len(managed.registry.failures.failures()) == 3


def test_an_error_of_the_function_is_its_class(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.end(1, succeeded=False, body=pickle.dumps(KeyError("secret")))
    [found] = managed.registry.failures.failures()
    assert found.cause == "KeyError"


def test_jobs_out_of_sight_and_jobs_that_were_tried_again_are_there_too(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1, 2)
    tasks.move(1, TaskState.ADOPTING)
    managed.registry.on_observed(id_of(2), JobObservation(1))
    managed.registry.on_observed(id_of(2), JobObservation(3, "Host EC2 (instance i-0ab31c44) terminated."))
    managed.registry.on_observed(id_of(2), JobObservation(3, "Host EC2 (instance i-0ab31c44) terminated."))
    unknown, retried = managed.registry.failures.failures()
    assert (unknown.failed, unknown.unknown, unknown.retried) == (0, 1, 0)
    assert (retried.cause, retried.retried) == ("Host EC2 (instance *) terminated.", 2)
    assert retried.hosts == ("i-0ab31c44",)


def test_hosts_are_the_last_ones_that_were_named() -> None:
    inbox = FailureInbox("wm-1")
    for number in range(HOSTS_KEPT + 5):
        inbox.note(Mishap.RETRIED, "f", "1", f"Host EC2 (instance i-{number:08x}) terminated.", number)
    [found] = inbox.failures()
    assert found.hosts[0] == f"i-{HOSTS_KEPT + 4:08x}"
    assert len(found.hosts) == HOSTS_KEPT


def test_with_too_many_causes_the_one_not_seen_for_longest_gives_way() -> None:
    inbox = FailureInbox("wm-1", kept=2)
    for reason in ("a", "b", "a", "c"):
        inbox.note(Mishap.FAILED, "f", "1", reason, 1.0)
    assert {found.cause for found in inbox.failures()} == {"a", "c"}


def test_the_first_of_a_cause_is_told_from_the_others() -> None:
    inbox = FailureInbox("wm-1")
    assert [inbox.note(Mishap.FAILED, "f", "1", reason, 1.0) for reason in ("", "", "b")] == [True, False, True]
    assert inbox.failures()[0].cause == NO_REASON


def test_a_recordings_rows_give_the_same_failures(managed: Managed) -> None:
    fail(managed, 1, "exit code 7")
    managed.clock.now += 5
    fail(managed, 2, "exit code 9")
    answer = failures_of_rows(managed.registry.rows(), GetFailures(), managed.clock.now)
    assert [found.cause for found in answer.failures] == ["exit code 9", "exit code 7"]
    assert set(answer.failures) == set(managed.registry.failures.failures())
    assert failures_of_rows(managed.registry.rows(), GetFailures("wm-2"), 0.0).failures == ()
