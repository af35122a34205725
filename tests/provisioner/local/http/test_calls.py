"""Calls are named as AWS names them, and counted by caller."""

from __future__ import annotations

from typing import Any

from botocore.config import Config

from tests.support.local_aws.account import BUCKET, Account


def manager_client(account: Account, service: str) -> Any:
    return account.aws.client(service, config=Config(user_agent_extra="scaler-batch-manager"))


def test_calls_are_counted_by_caller_and_name(account: Account) -> None:
    s3, batch = manager_client(account, "s3"), manager_client(account, "batch")
    logs, sts, iam = (manager_client(account, name) for name in ("logs", "sts", "iam"))
    account.aws.reset_calls()
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"12345")
    s3.get_object(Bucket=BUCKET, Key="k")["Body"].read()
    s3.head_object(Bucket=BUCKET, Key="k")
    s3.list_objects_v2(Bucket=BUCKET)
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}]})
    batch.list_jobs(jobQueue="queue")
    logs.describe_log_groups()
    sts.get_caller_identity()
    iam.list_roles()
    assert account.aws.calls()["by_caller"]["scaler-batch-manager"] == {
        "s3.PutObject": 1,
        "s3.GetObject": 1,
        "s3.HeadObject": 1,
        "s3.ListObjectsV2": 1,
        "s3.DeleteObjects": 1,
        "batch.ListJobs": 1,
        "logs.DescribeLogGroups": 1,
        "sts.GetCallerIdentity": 1,
        "iam.ListRoles": 1,
    }


def test_bytes_are_counted_both_ways(account: Account) -> None:
    s3 = manager_client(account, "s3")
    account.aws.reset_calls()
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x" * 12345)
    s3.get_object(Bucket=BUCKET, Key="k")["Body"].read()
    calls = account.aws.calls()
    assert calls["bytes_in"]["scaler-batch-manager"] == 12345
    assert calls["bytes_out"]["scaler-batch-manager"] == 12345


def test_a_jobs_own_calls_are_the_runners(account: Account) -> None:
    account.aws.reset_calls()
    account.run(f"make_client(None).put_object(Bucket={BUCKET!r}, Key='k', Body=b'x')")
    assert account.aws.calls()["by_caller"]["scaler-batch-runner"] == {"s3.PutObject": 1}
