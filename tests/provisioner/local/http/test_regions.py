"""Regions are kept apart: what is made in one is not seen in another, by the scope that requests are signed for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws.account import FINISHED, Account, definition_request, queue_request

ELSEWHERE = "eu-west-1"


@pytest.fixture(scope="module")
def batch(shared_account: Account) -> Any:
    """Batch of another region, which has a queue and a definition of the first one's names."""
    client = shared_account.aws.client("batch", region_name=ELSEWHERE)
    client.create_compute_environment(computeEnvironmentName="environment", type="UNMANAGED")
    client.create_job_queue(**queue_request("queue", "environment"))
    client.create_job_queue(**queue_request("only-there", "environment"))
    client.register_job_definition(**definition_request("python", ["Ref::code", "Ref::code2"]))
    return client


def ended(batch: Any, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (job := batch.describe_jobs(jobs=[job_id])["jobs"][0])["status"] not in FINISHED:
        assert time.monotonic() < deadline, job
        time.sleep(0.01)
    found: dict[str, Any] = job
    return found


def test_a_queue_of_one_region_is_not_seen_in_another(account: Account, batch: Any) -> None:
    assert account.batch.describe_job_queues(jobQueues=["only-there"])["jobQueues"] == []
    [queue] = batch.describe_job_queues(jobQueues=["only-there"])["jobQueues"]
    assert queue["jobQueueArn"] == f"arn:aws:batch:{ELSEWHERE}:123456789012:job-queue/only-there"
    with pytest.raises(ClientError, match="not found"):
        account.submit("pass", jobQueue="only-there")


def test_a_name_is_free_in_each_region(account: Account, batch: Any) -> None:
    arns = {
        client.describe_job_queues(jobQueues=["queue"])["jobQueues"][0]["jobQueueArn"]
        for client in (account.batch, batch)
    }
    assert {arn.split(":")[3] for arn in arns} == {"us-east-1", ELSEWHERE}


def test_a_job_runs_in_its_region_and_so_does_its_log(account: Account, batch: Any) -> None:
    job_id = batch.submit_job(
        jobName="job", jobQueue="queue", jobDefinition="python", parameters={"code": "print('from there')"}
    )["jobId"]
    job = ended(batch, job_id)
    stream = {"logGroupName": "/aws/batch/job", "logStreamName": job["container"]["logStreamName"]}
    events = account.aws.client("logs", region_name=ELSEWHERE).get_log_events(**stream)["events"]
    assert (job["status"], [event["message"] for event in events]) == ("SUCCEEDED", ["from there"])
    assert account.batch.describe_jobs(jobs=[job_id])["jobs"] == []
    with pytest.raises(ClientError, match="ResourceNotFound"):
        account.logs.get_log_events(**stream)


def test_counts_of_jobs_and_faults_are_of_all_regions(account: Account, batch: Any) -> None:
    before = account.aws.jobs()["submitted"]
    request = {"jobName": "counted", "jobQueue": "queue", "jobDefinition": "python", "parameters": {"code": "pass"}}
    ended(batch, batch.submit_job(**request)["jobId"])
    assert account.aws.jobs()["submitted"] == before + 1
    account.aws.fault("error:SubmitJob:403")
    with pytest.raises(ClientError, match="AccessDenied"):
        batch.submit_job(**request)


def test_a_quota_is_of_the_region_that_is_asked(account: Account) -> None:
    quotas = account.aws.client("service-quotas", region_name=ELSEWHERE)
    found = quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
    assert found["QuotaArn"].split(":")[3] == ELSEWHERE


def test_the_default_network_of_each_region_has_a_way_out(account: Account) -> None:
    tables = account.aws.client("ec2", region_name=ELSEWHERE).describe_route_tables()["RouteTables"]
    routes = [route.get("DestinationCidrBlock") for table in tables for route in table["Routes"]]
    assert "0.0.0.0/0" in routes
