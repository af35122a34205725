"""Only who has the key of a local AWS may use it: a submitted job runs code as its user."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from provisioner.local.aws import LocalAWS
from tests.support.local_aws.account import Account

CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("batch", "describe_job_queues", {}, "UnrecognizedClientException"),
    ("s3", "list_buckets", {}, "InvalidAccessKeyId"),
    ("ec2", "describe_vpcs", {}, "AuthFailure"),
    ("iam", "list_roles", {}, "InvalidClientTokenId"),
    ("sts", "get_caller_identity", {}, "InvalidClientTokenId"),
    ("logs", "describe_log_groups", {}, "UnrecognizedClientException"),
]


@pytest.mark.parametrize(("service", "method", "arguments", "code"), CALLS)
def test_a_call_with_another_key_is_refused_in_the_services_words(
    account: Account, service: str, method: str, arguments: dict[str, Any], code: str
) -> None:
    session: Any = boto3.Session("local", "local", region_name="us-east-1")
    client = session.client(service, endpoint_url=account.aws.endpoint)
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    getattr(account.aws.client(service), method)(**arguments)


def test_a_call_without_a_signature_is_refused(account: Account) -> None:
    client = boto3.client(
        "s3", "us-east-1", endpoint_url=account.aws.endpoint, config=Config(signature_version=UNSIGNED)
    )
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client.list_objects_v2(Bucket="any")


def test_a_signed_url_of_the_right_key_is_taken(account: Account) -> None:
    s3 = account.aws.client("s3")
    s3.create_bucket(Bucket="signed-url")
    s3.put_object(Bucket="signed-url", Key="key", Body=b"body")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "signed-url", "Key": "key"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"body"


def test_faults_and_counts_are_not_for_others_either(account: Account) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{account.aws.endpoint}/_local/calls")


def test_each_local_aws_has_a_key_of_its_own_that_no_list_of_processes_shows(account: Account) -> None:
    key = account.aws.access_key
    assert LocalAWS().access_key.id != key.id
    shown = subprocess.run(
        ["ps", "-ww", "-o", "args=", str(account.aws.pid)], capture_output=True, text=True, check=True
    )
    assert key.id not in shown.stdout
    assert key.secret not in shown.stdout
    assert key.secret not in repr(key)
