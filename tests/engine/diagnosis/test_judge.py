"""How evidence is weighed: what beats what, what passes, and whose job is looked at."""

from __future__ import annotations

import pytest

from engine.diagnosis.model import CheckId, CheckStatus, VerdictKind
from tests.support.engine.diagnosed_account import (
    CAPACITY,
    JOB,
    MAY_PASS,
    NO_MATCH,
    NOW,
    activity,
    diagnosis,
    for_minutes,
    healthy,
    instance_type,
    job,
    queue,
    route_table,
    snapshot,
    subnet,
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


def test_what_the_job_fits_only_without_the_system_s_share_is_a_warning() -> None:
    account = with_answers(describe_instance_types={"InstanceTypes": [instance_type("m6i.tight", 1, 3686 + 32)]})
    checks = {check.id: check for check in diagnosis(account).checks}
    assert checks[CheckId.INSTANCE_FIT].result is CheckStatus.WARN


@pytest.mark.parametrize(("action", "result"), [("ecs:Register*", CheckStatus.PASS), ("s3:*", CheckStatus.FAIL)])
def test_an_inline_policy_may_let_instances_join(action: str, result: CheckStatus) -> None:
    statement = {"Effect": "Allow", "Action": [action], "Resource": "*"}
    account = with_answers(
        list_attached_role_policies={"AttachedPolicies": []},
        list_role_policies={"PolicyNames": ["own"]},
        get_role_policy={"PolicyDocument": {"Statement": [statement]}},
    )
    checks = {check.id: check for check in diagnosis(account).checks}
    assert checks[CheckId.INSTANCE_ROLE].result is result


def test_a_subnet_with_all_endpoints_needs_no_gateway() -> None:
    services = ("ecr.api", "ecr.dkr", "s3", "logs", "ecs", "ecs-agent", "ecs-telemetry")
    endpoints = [
        {"ServiceName": f"com.amazonaws.us-east-1.{one}", "VpcId": "vpc-1", "VpcEndpointType": "Interface"}
        for one in services
    ]
    account = with_answers(
        describe_route_tables={"RouteTables": [route_table(None)]}, describe_vpc_endpoints={"VpcEndpoints": endpoints}
    )
    checks = {check.id: check for check in diagnosis(account).checks}
    assert checks[CheckId.EGRESS].result is CheckStatus.PASS


def test_an_internet_gateway_without_public_addresses_is_a_warning_with_its_remedy() -> None:
    account = with_answers(
        describe_route_tables={"RouteTables": [route_table("igw-1")]},
        describe_subnets={"Subnets": [subnet(public=False)]},
    )
    found = diagnosis(account)
    assert {check.id: check.result for check in found.checks}[CheckId.EGRESS] is CheckStatus.WARN
    assert any("modify-subnet-attribute" in remedy.command for remedy in found.remedies)


def test_without_a_job_the_head_of_the_queue_is_diagnosed() -> None:
    assert JOB in diagnosis(healthy(), job_id=None).subject


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


def test_a_waiting_child_stands_for_its_array() -> None:
    parent = job(status="PENDING", arrayProperties={"statusSummary": {"RUNNABLE": 2, "RUNNING": 1}})
    child = job(f"{JOB}:7")
    account = with_answers(
        describe_jobs=lambda jobs: {"jobs": [child if ":" in jobs[0] else parent]},
        list_jobs={"jobSummaryList": [{"jobId": f"{JOB}:7"}]},
        get_job_queue_snapshot=snapshot("job-0", f"{JOB}:7"),
    )
    found = diagnosis(account)
    assert (found.verdict, f"{JOB}:7" in found.subject) == ("waiting its turn", True)


def test_the_job_at_the_head_tells_why_those_behind_it_wait() -> None:
    described = {"job-0": job("job-0", statusReason=CAPACITY), JOB: job()}
    account = with_answers(
        describe_jobs=lambda jobs: {"jobs": [described[jobs[0]]]}, get_job_queue_snapshot=snapshot("job-0", JOB)
    )
    assert CAPACITY in diagnosis(account).text


def test_all_is_told_with_its_age() -> None:
    found = diagnosis(healthy())
    assert all(NOW <= check.read_at <= found.at for check in found.checks if check.result is CheckStatus.PASS)
