"""How evidence is weighed: what beats what, what passes, and whose job is looked at."""

from __future__ import annotations

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, VerdictKind
from tests.support.engine.diagnosed_account import (
    CAPACITY,
    MAY_PASS,
    NO_MATCH,
    NOW,
    activity,
    diagnosis,
    for_minutes,
    healthy,
    instance_type,
    queue,
    route_table,
    snapshot,
    with_answers,
)


def test_the_reason_of_aws_is_kept_word_for_word() -> None:
    assert diagnosis(for_minutes(15, CAPACITY)).reason == CAPACITY


def test_evidence_that_explains_a_symptom_beats_what_aws_says() -> None:
    account = for_minutes(15, NO_MATCH)
    account.answers["describe_instance_types"] = {"InstanceTypes": [instance_type("m6i.tiny", 1, 2048)]}
    assert diagnosis(account).verdict == "larger than any instance"


def test_what_aws_names_beats_what_else_is_found_further_down() -> None:
    account = for_minutes(3, CAPACITY)
    account.answers["describe_route_tables"] = {"RouteTables": [route_table(None)]}
    found = diagnosis(account)
    assert found.verdict == "blocked by capacity"
    assert {check.id: check.result for check in found.checks}[CheckId.EGRESS] is CheckStatus.FAIL


def test_a_mismatch_while_instances_are_being_started_passes() -> None:
    account = for_minutes(15, NO_MATCH)
    account.answers["describe_scaling_activities"] = {"Activities": [activity("InProgress")]}
    found = diagnosis(account)
    assert (found.verdict, found.kind) == ("instances are starting", VerdictKind.PROGRESSING)
    assert found.certainty == MAY_PASS


def test_capacity_is_not_final_while_instances_are_being_started() -> None:
    account = for_minutes(15, CAPACITY)
    account.answers["describe_scaling_activities"] = {"Activities": [activity("InProgress")]}
    assert diagnosis(account).certainty == MAY_PASS


def test_an_instance_that_ended_is_no_launch_that_succeeded() -> None:
    ended = activity("Successful") | {"Description": "Terminating EC2 instance: i-1"}
    refused = activity("Failed", "InsufficientInstanceCapacity: m6i")
    found = diagnosis(with_answers(describe_scaling_activities={"Activities": [ended, refused]}))
    assert found.verdict == "blocked by capacity"


def test_a_launch_that_the_group_took_back_itself_is_no_failure() -> None:
    found = diagnosis(with_answers(describe_scaling_activities={"Activities": [activity("Cancelled", "scaled in")]}))
    assert {check.id: check.result for check in found.checks}[CheckId.LAUNCHES] is CheckStatus.PASS


def test_without_a_job_that_waits_nothing_is_stuck() -> None:
    account = with_answers(get_job_queue_snapshot=snapshot(), list_jobs={"jobSummaryList": []})
    found = diagnosis(account, job_id=None)
    assert (found.subject, found.verdict) == ("queue jobs", "nothing is stuck")
    assert found.kind is VerdictKind.HEALTHY


def test_a_queue_without_jobs_may_be_disabled_all_the_same() -> None:
    account = with_answers(
        get_job_queue_snapshot=snapshot(),
        list_jobs={"jobSummaryList": []},
        describe_job_queues={"jobQueues": [queue(state="DISABLED")]},
    )
    assert diagnosis(account, job_id=None).verdict == "the queue is disabled"


def test_all_is_told_with_its_age() -> None:
    found = diagnosis(healthy())
    assert all(NOW <= check.read_at <= found.at for check in found.checks if check.result is CheckStatus.PASS)
