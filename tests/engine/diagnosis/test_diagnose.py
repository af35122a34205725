"""How AWS is asked: no more than needed, paced, kept for ten seconds, and what is denied is said and passed over."""

from __future__ import annotations

from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckResult, CheckStatus, VerdictKind
from tests.support.engine.diagnosed_account import JOB, NOW, Account, Clock, denied, healthy, queue, snapshot


def diagnoser(account: Account, clock: Clock) -> Diagnoser:
    return Diagnoser(account, clock, clock.sleep)


def checks(account: Account) -> dict[str, CheckResult]:
    return {check.id: check for check in diagnoser(account, Clock()).diagnose("jobs", JOB).checks}


def test_nothing_more_is_read_once_the_cause_is_certain_and_the_rest_says_so() -> None:
    account = healthy()
    account.answers["describe_job_queues"] = {"jobQueues": [queue(state="DISABLED")]}
    found = checks(account)
    assert account.asked == ["describe_jobs", "describe_job_queues"]
    assert found[CheckId.IMAGE].result is CheckStatus.NOT_RUN
    assert "certain" in found[CheckId.IMAGE].evidence


def test_a_denied_read_names_what_to_grant_and_the_others_go_on() -> None:
    account = healthy()
    account.answers["describe_auto_scaling_groups"] = denied("UnauthorizedOperation")
    found = checks(account)
    launches = found[CheckId.LAUNCHES]
    assert launches.result is CheckStatus.UNKNOWN
    assert launches.evidence == "AccessDenied autoscaling:DescribeAutoScalingGroups: grant it or skip"
    assert found[CheckId.IMAGE].result is CheckStatus.PASS


def test_everything_denied_is_no_verdict_and_no_failure() -> None:
    found = Diagnoser(Account(), clock := Clock(), clock.sleep, region="eu-west-1").diagnose("jobs", JOB)
    assert (found.verdict, found.kind) == ("no verdict", VerdictKind.UNREADABLE)
    assert found.text.count("AccessDenied batch:DescribeJobs") == 1
    assert [remedy.command for remedy in found.remedies] == ["scaler-batch doctor --region eu-west-1"]
    assert {check.result for check in found.checks} <= {CheckStatus.UNKNOWN, CheckStatus.NOT_RUN}


def test_environments_on_fargate_need_no_instances() -> None:
    account = healthy()
    (found,) = account.answers["describe_compute_environments"]["computeEnvironments"]  # type: ignore[index]
    found["computeResources"] |= {"type": "FARGATE", "instanceTypes": []}
    instances = checks(account)[CheckId.INSTANCES]
    assert (instances.result, "not needed" in instances.evidence) == (CheckStatus.NOT_RUN, True)


def test_a_diagnosis_makes_at_most_two_calls_a_second() -> None:
    account, clock = healthy(), Clock()
    diagnoser(account, clock).diagnose("jobs", JOB)
    assert clock.now - NOW >= (len(account.asked) - 1) / 2


def test_diagnoses_share_answers_for_ten_seconds() -> None:
    account, clock = healthy(), Clock()
    account.answers["describe_job_queues"] = {"jobQueues": [queue(state="DISABLED")]}
    service = diagnoser(account, clock)
    first = service.diagnose("jobs", JOB)
    clock.sleep(5)
    again = service.diagnose("jobs", JOB)
    assert account.asked == ["describe_jobs", "describe_job_queues"]
    assert first.checks == again.checks
    clock.sleep(10)
    service.diagnose("jobs", JOB)
    assert len(account.asked) == 4


def test_a_queue_is_listed_for_so_many_pages_only() -> None:
    account = healthy()
    account.answers["get_job_queue_snapshot"] = snapshot()
    account.answers["list_jobs"] = lambda **asked: {
        "jobSummaryList": [{"jobId": JOB, "createdAt": 1}],
        "nextToken": asked.get("nextToken", "") + "x",
    }
    diagnoser(account, Clock()).diagnose("jobs")
    assert account.asked.count("list_jobs") == 10
