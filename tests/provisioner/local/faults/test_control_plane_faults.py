"""Any call of any service can be made to fail, at its n-th time, before or after its work is done."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from provisioner.local.faults.fault_injector import Call, FaultInjector
from provisioner.local.faults.faults import Lost, ServerError, parse_fault
from tests.support.local_aws.account import Account

CALLS: dict[str, Callable[[Any], Any]] = {
    "batch.DescribeJobQueues": lambda client: client.describe_job_queues(),
    "ec2.DescribeVpcs": lambda client: client.describe_vpcs(),
    "ecr.DescribeRepositories": lambda client: client.describe_repositories(),
    "iam.ListRoles": lambda client: client.list_roles(),
    "logs.DescribeLogGroups": lambda client: client.describe_log_groups(),
    "s3.ListBuckets": lambda client: client.list_buckets(),
    "servicequotas.GetServiceQuota": lambda client: client.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A"),
    "sts.GetCallerIdentity": lambda client: client.get_caller_identity(),
}
DENIED = {"batch": "AccessDeniedException", "ec2": "UnauthorizedOperation", "ecr": "AccessDeniedException"} | {
    "logs": "AccessDeniedException",
    "servicequotas": "AccessDeniedException",
}
THROTTLED = {"batch": "TooManyRequestsException", "ec2": "RequestLimitExceeded", "s3": "SlowDown"} | dict.fromkeys(
    ("iam", "sts"), "Throttling"
)


def call(account: Account, name: str) -> Any:
    """Makes the call, once."""
    service = name.partition(".")[0]
    client = account.aws.client(
        "service-quotas" if service == "servicequotas" else service,
        config=Config(retries={"total_max_attempts": 1}, user_agent_extra="scaler-batch-provisioner"),
    )
    return CALLS[name](client)


def code_of(account: Account, name: str) -> str:
    with pytest.raises(ClientError) as caught:
        call(account, name)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_denied_throttled_or_lost_and_recorded(account: Account, name: str) -> None:
    service = name.partition(".")[0]
    account.aws.reset_calls()
    for fault in (f"error:{name}:403:x1", f"throttle:{name}:0/s:after=1:x1", f"lost:{name}:after=2:x1"):
        account.aws.fault(fault)
    assert code_of(account, name) == DENIED.get(service, "AccessDenied")
    assert code_of(account, name) == THROTTLED.get(service, "ThrottlingException")
    with pytest.raises(ConnectionClosedError):
        call(account, name)
    account.aws.clear_faults()
    call(account, name)
    assert account.aws.call_log() == [("scaler-batch-provisioner", name)] * 4


def test_a_connection_is_lost_before_or_after_the_work(account: Account) -> None:
    iam = account.aws.client("iam")
    account.aws.fault("lost:iam.CreateInstanceProfile:x1")
    account.aws.fault("ambiguous:iam.CreateInstanceProfile:x1:after=1")
    CALLS["iam.CreateInstanceProfile"] = lambda client: client.create_instance_profile(InstanceProfileName="lost")
    with pytest.raises(ConnectionClosedError):
        call(account, "iam.CreateInstanceProfile")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_instance_profile(InstanceProfileName="lost")
    call(account, "iam.CreateInstanceProfile")


def test_just_the_third_call_is_struck() -> None:
    injector = FaultInjector(random.Random(1))
    injector.add(parse_fault("lost:iam.CreateRole:after=2:x1"))
    create, other = Call("iam", "CreateRole", "other"), Call("iam", "GetRole", "other")
    assert [injector.lost(one) for one in (create, other, create, create, create)] == [False, False, False, True, False]


def test_the_strings_of_these_faults() -> None:
    assert parse_fault("lost:s3:30s:after=2") == Lost(api="s3", seconds=30, after=2)
    assert parse_fault("error:ec2.DescribeVpcs:403:after=1:x1") == ServerError(
        api="ec2.DescribeVpcs", status=403, after=1, count=1
    )
