"""Each fault's string, and what it does to real calls and jobs."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from provisioner.local.faults.fault_injector import Call, FaultInjector
from provisioner.local.faults.faults import (
    Ambiguous,
    AnyFault,
    ExpiredCredentials,
    FaultSyntaxError,
    LateResult,
    OutOfMemory,
    ServerError,
    Spot,
    Throttle,
    parse_fault,
)
from tests.provisioner.local.conftest import BUCKET, Account

SUBMIT = Call("batch", "SubmitJob", "scaler-batch-manager", "wm_t1")
RESULT = "store/results/1"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("throttle:SubmitJob:2/s", Throttle(api="SubmitJob", rate=2)),
        ("throttle:*:0/s:8s", Throttle(seconds=8)),
        ("error:s3:503:30s", ServerError(api="s3", status=503, seconds=30)),
        ("ambiguous:SubmitJob:x1", Ambiguous(api="SubmitJob", count=1)),
        ("ambiguous:SubmitJob:500", Ambiguous(api="SubmitJob", status=500)),
        ("expired-credentials:30s", ExpiredCredentials(seconds=30)),
        ("spot:0.1", Spot(probability=0.1)),
        ("oom:1:x3:match=wm_t*", OutOfMemory(count=3, match="wm_t*")),
        ("late-result:0.5:2s", LateResult(probability=0.5, seconds=2)),
    ],
)
def test_a_faults_string(text: str, fault: AnyFault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["nonsense", "spot:2", "spot:x", "error:s3:200", "spot:0.1:0.2", "throttle:a:b"])
def test_a_string_that_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(FaultSyntaxError, match=r"must be one of|expected "):
        parse_fault(text)


class Desk:
    """A desk with a clock that stands still."""

    def __init__(self, *faults: str) -> None:
        self.now = 0.0
        self.desk = FaultInjector(random.Random(1), lambda: self.now)
        for fault in faults:
            self.desk.add(parse_fault(fault))


def test_a_throttle_lets_its_rate_pass() -> None:
    desk = Desk("throttle:SubmitJob:2/s")
    passed = 0
    for _ in range(100):
        desk.now += 0.1
        passed += not desk.desk.throttled(SUBMIT)
    assert 20 <= passed <= 22


def test_a_fault_ends_after_its_seconds() -> None:
    desk = Desk("error:batch:503:30s")
    assert desk.desk.failing(SUBMIT) is not None
    desk.now = 30
    assert desk.desk.failing(SUBMIT) is None


def test_a_fault_ends_after_its_count() -> None:
    desk = Desk("spot:1:x2")
    assert [desk.desk.strikes("spot", "job") for _ in range(3)] == [True, True, False]


def test_a_fault_strikes_what_matches_only() -> None:
    desk = Desk("spot:1:match=wm_*")
    assert [desk.desk.strikes("spot", name) for name in ("wm_1", "other")] == [True, False]


def test_a_fault_strikes_about_as_often_as_it_says() -> None:
    desk = Desk("spot:0.1")
    assert 70 <= sum(desk.desk.strikes("spot", "job") for _ in range(1000)) <= 130


def test_expired_credentials_spare_the_jobs() -> None:
    desk = Desk("expired-credentials")
    assert desk.desk.expired(SUBMIT)
    assert not desk.desk.expired(Call("s3", "PutObject", "scaler-batch-runner"))


def once(account: Account, service: str) -> Any:
    """A client that does not try again."""
    config = Config(retries={"total_max_attempts": 1})
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=account.aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=config,
    )


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


def test_the_desk_tells_how_often_each_struck(account: Account) -> None:
    account.aws.fault("drop-result:1")
    store_result(account)
    assert [(fault["kind"], fault["struck"]) for fault in account.aws.faults()] == [("drop-result", 1)]
