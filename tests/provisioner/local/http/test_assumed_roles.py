"""Sessions of roles: STS gives them for roles that are there, and calls that are signed with them are taken."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws.account import Account


def assume(account: Account, name: str) -> dict[str, str]:
    arn = f"arn:aws:iam::123456789012:role/{name}"
    found: dict[str, str] = account.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return found


def test_a_session_of_a_role_may_call(account: Account) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    account.aws.client("iam").create_role(RoleName="assumed", AssumeRolePolicyDocument=trust)
    given = assume(account, "assumed")
    session: Any = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "us-east-1")
    assert session.client("batch", endpoint_url=account.aws.endpoint).describe_job_queues()["jobQueues"]


def test_a_role_that_is_not_there_can_not_be_assumed(account: Account) -> None:
    with pytest.raises(ClientError, match=r"is not authorized to perform: sts:AssumeRole on resource: .*/nobody"):
        assume(account, "nobody")
