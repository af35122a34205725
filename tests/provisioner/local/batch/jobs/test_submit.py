"""What AWS Batch refuses is refused, in its words where callers look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws.account import Account, definition_request, environment_request, queue_request


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "ClientException"
    return str(caught.value.response["Error"]["Message"])


def test_a_request_of_30_kib(account: Account) -> None:
    assert refused(lambda: account.submit("x" * 48_000)) == "Job size must be less than 30 KiB, got 47 KiB"


def test_a_request_just_below_30_kib_is_accepted(account: Account) -> None:
    assert account.run("#" * 30_000, jobDefinition=eks_like(account))["status"] == "SUCCEEDED"


def eks_like(account: Account) -> str:
    """A definition whose command doesn't repeat the parameter, so that the ECS limit has nothing to count."""
    account.batch.register_job_definition(**definition_request("small", ["pass"]))
    return "small"


def test_overrides_past_8192_characters_fail_the_job(account: Account) -> None:
    job = account.run("#" * 8_192)
    assert (job["status"], job["attempts"]) == ("FAILED", [])
    assert job["statusReason"] == "Container Overrides length must be at most 8192"


def test_overrides_just_below_are_fine(account: Account) -> None:
    assert account.run("#" * 7_900)["status"] == "SUCCEEDED"


def fair_queue(account: Account) -> str:
    """A queue with a scheduling policy, beside the account's own."""
    order = account.batch.describe_job_queues(jobQueues=["queue"])["jobQueues"][0]["computeEnvironmentOrder"]
    arn = "arn:aws:batch:us-east-1:123456789012:scheduling-policy/fair"
    account.batch.create_job_queue(
        jobQueueName="fair", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=arn
    )
    return "fair"


def test_a_queue_with_a_scheduling_policy_wants_a_share_and_a_priority(account: Account) -> None:
    queue = fair_queue(account)
    assert refused(lambda: account.submit(jobQueue=queue)) == "shareIdentifier must be specified."
    assert "schedulingPriorityOverride should be specified" in refused(
        lambda: account.submit(jobQueue=queue, shareIdentifier="team")
    )
    account.submit(jobQueue=queue, shareIdentifier="team", schedulingPriorityOverride=1)


def test_a_queue_without_a_scheduling_policy_takes_no_share(account: Account) -> None:
    assert "shareIdentifier must not be specified" in refused(lambda: account.submit(shareIdentifier="team"))


def test_children_of_an_array_carry_no_tags(account: Account) -> None:
    job_id = account.submit(arrayProperties={"size": 2}, tags={"stack": "mine"})
    parent, child = account.batch.describe_jobs(jobs=[job_id, f"{job_id}:1"])["jobs"]
    assert (parent["tags"], child.get("tags", {})) == ({"stack": "mine"}, {})


@pytest.mark.parametrize("size", [1, 10_001])
def test_array_sizes(account: Account, size: int) -> None:
    assert "Array size" in refused(lambda: account.submit(arrayProperties={"size": size}))


@pytest.mark.parametrize("name", ["_starts", "has space", "x" * 129])
def test_job_names(account: Account, name: str) -> None:
    assert "Job name" in refused(lambda: account.submit(jobName=name))


def test_a_timeout_below_a_minute(account: Account) -> None:
    assert "60 seconds" in refused(lambda: account.submit(timeout={"attemptDurationSeconds": 59}))


def test_eleven_attempts(account: Account) -> None:
    assert "attempts" in refused(lambda: account.submit(retryStrategy={"attempts": 11}))


def test_describing_101_jobs(account: Account) -> None:
    assert "100 jobs" in refused(lambda: account.batch.describe_jobs(jobs=["x"] * 101))


def test_unknown_jobs_are_left_out(account: Account) -> None:
    assert account.batch.describe_jobs(jobs=["unknown", "unknown:1"])["jobs"] == []


def test_unknown_queues_and_definitions(account: Account) -> None:
    assert "JobQueue none not found" in refused(lambda: account.submit(jobQueue="none"))
    assert "JobDefinition none not found" in refused(lambda: account.submit(jobDefinition="none"))


def test_a_disabled_queue_takes_no_jobs(account: Account) -> None:
    account.batch.create_job_queue(**queue_request("closed", "environment"))
    account.batch.update_job_queue(jobQueue="closed", state="DISABLED")
    assert "not ENABLED" in refused(lambda: account.submit(jobQueue="closed"))


def test_what_is_in_use_or_enabled_is_not_deleted(account: Account) -> None:
    batch = account.batch
    batch.create_compute_environment(**environment_request("doomed", 4, account.compute))
    batch.create_job_queue(**queue_request("doomed-queue", "doomed"))
    assert "disabled first" in refused(lambda: batch.delete_compute_environment(computeEnvironment="doomed"))
    batch.update_compute_environment(computeEnvironment="doomed", state="DISABLED")
    assert "JobQueue" in refused(lambda: batch.delete_compute_environment(computeEnvironment="doomed"))
    assert "disabled first" in refused(lambda: batch.delete_job_queue(jobQueue="doomed-queue"))
    batch.update_job_queue(jobQueue="doomed-queue", state="DISABLED")
    batch.delete_job_queue(jobQueue="doomed-queue")
    batch.delete_compute_environment(computeEnvironment="doomed")
    assert batch.describe_compute_environments(computeEnvironments=["doomed"])["computeEnvironments"] == []


def test_definitions_count_revisions_and_the_newest_active_one_is_meant(account: Account) -> None:
    batch = account.batch
    for code in ("print(1)", "print(2)", "print(3)"):
        newest = batch.register_job_definition(**definition_request("revised", [code]))
    batch.deregister_job_definition(jobDefinition=newest["jobDefinitionArn"])
    assert account.lines(account.run("", jobDefinition="revised")) == ["2"]
    assert account.lines(account.run("", jobDefinition="revised:1")) == ["1"]
    active = batch.describe_job_definitions(jobDefinitionName="revised", status="ACTIVE")
    assert [one["revision"] for one in active["jobDefinitions"]] == [2, 1]


def test_tags_can_be_read_and_changed(account: Account) -> None:
    arn = account.batch.describe_job_queues(jobQueues=["queue"])["jobQueues"][0]["jobQueueArn"]
    account.batch.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    account.batch.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert account.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
