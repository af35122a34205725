"""How AWS is asked: no more than needed, paced, kept for ten seconds, and what is denied is said and passed over."""

from __future__ import annotations

import json

from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.model import CheckId, CheckResult, CheckStatus, VerdictKind
from tests.support.engine.diagnosed_account import JOB, NOW, Account, Clock, denied, healthy, job, queue, snapshot


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


def test_at_most_two_calls_a_second() -> None:
    account, clock = healthy(), Clock()
    diagnoser(account, clock).diagnose("jobs", JOB)
    assert clock.now - NOW >= (len(account.asked) - 1) / 2


def test_answers_are_kept_for_ten_seconds_and_then_read_again() -> None:
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


def test_without_the_snapshot_the_oldest_waiting_job_is_found_by_listing() -> None:
    account = healthy()
    account.answers["get_job_queue_snapshot"] = denied()
    account.answers["list_jobs"] = {
        "jobSummaryList": [{"jobId": "young", "createdAt": 2}, {"jobId": "old", "createdAt": 1}]
    }
    account.answers["describe_jobs"] = lambda jobs: {"jobs": [job(jobs[0])]}
    assert "job old" in diagnoser(account, Clock()).diagnose("jobs").subject


def test_a_job_brings_its_queue_along() -> None:
    assert diagnoser(healthy(), Clock()).diagnose("", JOB).subject.endswith("in queue jobs")


def test_environments_on_fargate_need_no_instances() -> None:
    account = healthy()
    (found,) = account.answers["describe_compute_environments"]["computeEnvironments"]  # type: ignore[index]
    found["computeResources"] |= {"type": "FARGATE", "instanceTypes": []}
    instances = checks(account)[CheckId.INSTANCES]
    assert (instances.result, "not needed" in instances.evidence) == (CheckStatus.NOT_RUN, True)


def test_a_single_image_tells_its_processor_in_its_configuration() -> None:
    account, clock = healthy(), Clock()
    account.answers["batch_get_image"] = {"images": [{"imageManifest": '{"config": {"digest": "sha256:c"}}'}]}
    account.answers["get_download_url_for_layer"] = {"downloadUrl": "https://signed"}
    config = {"architecture": "arm64", "config": {"Env": ["PYTHON_VERSION=3.12.4"]}}
    service = Diagnoser(account, clock, clock.sleep, fetch=lambda url: json.dumps(config).encode())
    assert service.diagnose("jobs", JOB).verdict == "the image is for another processor"


def test_an_image_whose_configuration_can_not_be_fetched_is_there_all_the_same() -> None:
    def unreachable(url: str) -> bytes:
        raise OSError("no way")

    account, clock = healthy(), Clock()
    account.answers["batch_get_image"] = {"images": [{"imageManifest": '{"config": {"digest": "sha256:c"}}'}]}
    account.answers["get_download_url_for_layer"] = {"downloadUrl": "https://signed"}
    found = Diagnoser(account, clock, clock.sleep, fetch=unreachable).diagnose("jobs", JOB)
    assert "could not be read" in found.checks[-1].evidence


def test_listings_go_over_their_pages_but_not_for_ever() -> None:
    account = healthy()
    account.answers["get_job_queue_snapshot"] = snapshot()
    account.answers["list_jobs"] = lambda **asked: {
        "jobSummaryList": [{"jobId": JOB, "createdAt": 1}],
        "nextToken": asked.get("nextToken", "") + "x",
    }
    diagnoser(account, Clock()).diagnose("jobs")
    assert account.asked.count("list_jobs") == 10
