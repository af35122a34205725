"""What each fault does to real calls and jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.support.cluster.running_engine import await_condition
from tests.support.local_aws.account import BUCKET, Account

RESULT = "store/results/1"


def once(account: Account, service: str) -> Any:
    """A client that does not try again."""
    config = Config(retries={"total_max_attempts": 1})
    return account.aws.client(service, config=config)


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttle:ListJobs:0/s", (429, "TooManyRequestsException")),
        ("error:batch:500", (500, "ServerException")),
        ("error:batch:403", (403, "AccessDeniedException")),
        ("expired-credentials", (403, "ExpiredTokenException")),
    ],
)
def test_batch_refuses_in_its_own_form(account: Account, fault: str, expected: tuple[int, str]) -> None:
    account.aws.fault(fault)
    assert refused(lambda: once(account, "batch").list_jobs(jobQueue="queue")) == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttle:s3:0/s", (503, "SlowDown")),
        ("error:PutObject:500", (500, "InternalError")),
        ("expired-credentials", (400, "ExpiredToken")),
    ],
)
def test_s3_refuses_in_its_own_form(account: Account, fault: str, expected: tuple[int, str]) -> None:
    account.aws.fault(fault)
    assert refused(lambda: once(account, "s3").put_object(Bucket=BUCKET, Key="k", Body=b"")) == expected


def test_logs_refuse_in_their_own_form(account: Account) -> None:
    account.aws.fault("throttle:logs:0/s")
    call = once(account, "logs").describe_log_groups
    assert refused(call) == (400, "ThrottlingException")


def test_a_call_that_is_slow_for_longer_than_its_caller_waits_is_carried_out_all_the_same(account: Account) -> None:
    account.s3.delete_object(Bucket=BUCKET, Key=RESULT)
    account.aws.fault("slow:PutObject:0.5s:x1")
    impatient = account.aws.client("s3", config=Config(read_timeout=0.1, retries={"total_max_attempts": 1}))
    with pytest.raises(ReadTimeoutError):
        impatient.put_object(Bucket=BUCKET, Key=RESULT, Body=b"late")
    await_condition(lambda: result(account) == b"late")


def test_an_ambiguous_submit_is_carried_out(account: Account) -> None:
    account.aws.fault("ambiguous:SubmitJob:x1")
    request = {"jobName": "unsure", "jobQueue": "queue", "jobDefinition": "python"}
    with pytest.raises(ConnectionClosedError):
        once(account, "batch").submit_job(**request)
    filters = [{"name": "JOB_NAME", "values": ["unsure"]}]
    assert len(account.batch.list_jobs(jobQueue="queue", filters=filters)["jobSummaryList"]) == 1


def test_spot_reclaims_what_runs_and_what_will(account: Account) -> None:
    running = account.submit("import time; time.sleep(600)")
    account.until(running, "RUNNING")
    account.aws.fault("spot:1")
    reasons = [account.ended(running)["statusReason"], account.run("import time; time.sleep(600)")["statusReason"]]
    assert all(reason.startswith("Host EC2 (instance i-") for reason in reasons)


def test_out_of_memory_and_start_failure(account: Account) -> None:
    account.aws.fault("oom:1:match=hungry")
    account.aws.fault("start-failure:1:match=imageless")
    hungry = account.run("import time; time.sleep(600)", jobName="hungry")
    imageless = account.run("", jobName="imageless")
    assert hungry["container"]["reason"].startswith("OutOfMemoryError")
    assert imageless["container"]["reason"].startswith("CannotPullContainerError")


def test_a_job_is_killed_while_it_runs(account: Account) -> None:
    running = account.submit("import time; time.sleep(600)")
    account.until(running, "RUNNING")
    account.aws.fault("kill:1:x1")
    killed = account.ended(running)
    assert (killed["container"]["exitCode"], killed["container"].get("reason")) == (137, None)
    assert account.run("")["status"] == "SUCCEEDED"


CALLING = """
client = make_client(None)
for key in ("1", "2", "3"):
    client.put_object(Bucket={bucket!r}, Key="{folder}/" + environ["AWS_BATCH_JOB_ARRAY_INDEX"] + "/" + key, Body=b"")
import time; time.sleep(600)
"""


@pytest.mark.parametrize(("fault", "written"), [("kill-before", ["1"]), ("kill-after", ["1", "2"])])
def test_a_job_is_killed_in_the_middle_of_a_call_and_no_other_job(
    account: Account, fault: str, written: list[str]
) -> None:
    account.aws.fault(f"{fault}:PutObject:after=1:match=*/0/*:x1")
    parent = account.submit(CALLING.format(bucket=BUCKET, folder=fault), arrayProperties={"size": 2})
    killed = account.ended(f"{parent}:0")
    assert (killed["container"]["exitCode"], killed["statusReason"]) == (137, "Essential container in task exited")
    found = account.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{fault}/0/")["Contents"]
    assert [one["Key"].rpartition("/")[2] for one in found] == written
    account.until(f"{parent}:1", "RUNNING")
    account.batch.terminate_job(jobId=parent, reason="over")
    account.ended(parent)


def store_result(account: Account, body: bytes = b"result") -> None:
    account.s3.delete_object(Bucket=BUCKET, Key=RESULT)
    account.s3.put_object(Bucket=BUCKET, Key=RESULT, Body=body)


def result(account: Account) -> bytes | None:
    found = account.s3.list_objects_v2(Bucket=BUCKET, Prefix=RESULT)["KeyCount"]
    return account.s3.get_object(Bucket=BUCKET, Key=RESULT)["Body"].read() if found else None


def test_results_are_dropped_truncated_or_corrupted(account: Account) -> None:
    account.aws.fault("drop-result:1:x1")
    store_result(account)
    assert result(account) is None
    account.aws.fault("truncate-result:1:x1")
    store_result(account)
    assert result(account) == b"res"
    account.aws.fault("corrupt-result:1:x1")
    store_result(account)
    assert result(account) not in (None, b"result")
    store_result(account)
    assert result(account) == b"result"


def test_a_late_result_comes(account: Account) -> None:
    account.aws.fault("late-result:1:0.3s")
    store_result(account)
    assert result(account) is None
    while result(account) != b"result":
        pass


def test_the_control_says_how_often_each_struck(account: Account) -> None:
    account.aws.fault("drop-result:1")
    store_result(account)
    assert [(fault["kind"], fault["struck"]) for fault in account.aws.faults()] == [("drop-result", 1)]
