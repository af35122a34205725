"""Reads of AWS: paced, kept for ten seconds, page by page but not for ever; refusals become text."""

from __future__ import annotations

from engine.diagnosis.reads import Reader
from tests.support.engine.diagnosed_account import NOW, Account, Clock, refused


def reader(account: Account, clock: Clock) -> Reader:
    return Reader(account, clock, clock.sleep)


def test_at_most_two_calls_a_second() -> None:
    account, clock = Account({"describe_jobs": {}}), Clock()
    reading = reader(account, clock)
    for number in range(5):
        reading.read("batch", "describe_jobs", jobs=[str(number)])
    assert clock.now - NOW == 2.0


def test_answers_are_kept_for_ten_seconds_and_then_read_again() -> None:
    account, clock = Account({"describe_job_queues": {"jobQueues": []}}), Clock()
    reading = reader(account, clock)
    first = reading.read("batch", "describe_job_queues", jobQueues=["jobs"])
    clock.sleep(5)
    assert reading.read("batch", "describe_job_queues", jobQueues=["jobs"]) is first
    reading.read("batch", "describe_job_queues", jobQueues=["others"])
    clock.sleep(5)
    assert reading.read("batch", "describe_job_queues", jobQueues=["jobs"]).at > first.at
    assert len(account.asked) == 3


def test_listings_go_over_their_pages_but_not_for_ever() -> None:
    account, clock = Account(), Clock()
    account.answers["list_jobs"] = lambda **given: {
        "jobSummaryList": [{"jobId": "job"}],
        "nextToken": given.get("nextToken", "") + "x",
    }
    found, last = reader(account, clock).read_pages("batch", "list_jobs", "jobSummaryList", jobQueue="jobs")
    assert (len(found), account.asked.count("list_jobs"), last.error) == (10, 10, "")


def test_a_denied_read_names_the_action_as_iam_does_and_others_their_code() -> None:
    account, clock = Account({"describe_jobs": refused("ClientException")}), Clock()
    reading = reader(account, clock)
    quota = reading.read("service-quotas", "get_service_quota")
    assert quota.error == "AccessDenied servicequotas:GetServiceQuota: grant it or skip"
    other = reading.read("batch", "describe_jobs")
    assert (other.code, other.error) == (
        "ClientException",
        "batch:DescribeJobs could not be read: ClientException: it does not exist",
    )
