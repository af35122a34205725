"""The fault `refuse`: a call is refused for a moment in AWS's words, as after creations and deletions."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from provisioner.local.faults.faults import FaultSyntaxError, MomentaryRefusal, parse_fault
from provisioner.local.faults.passing import PASSING_ANSWERS, RefusalName
from provisioner.plan.refusals import PASSING
from tests.support.local_aws.account import BUCKET, Account


def once(account: Account, service: str) -> Any:
    return account.aws.client(service, config=Config(retries={"total_max_attempts": 1}))


def put_tags(account: Account) -> None:
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    once(account, "s3").put_bucket_tagging(Bucket=BUCKET, Tagging=tags)


def test_a_call_is_refused_so_many_times_and_then_done(account: Account) -> None:
    account.aws.fault("refuse:s3.PutBucketTagging:NoSuchBucket:x2")
    for _ in range(2):
        with pytest.raises(ClientError, match="The specified bucket does not exist") as caught:
            put_tags(account)
        assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    put_tags(account)


def test_batch_says_it_in_a_sentence_alone(account: Account) -> None:
    account.aws.fault("refuse:batch.DeleteComputeEnvironment:JobQueueRelationship:x1")
    with pytest.raises(ClientError, match="Cannot delete, found existing JobQueue relationship") as caught:
        once(account, "batch").delete_compute_environment(computeEnvironment="environment")
    assert caught.value.response["Error"]["Code"] == "ClientException"


def test_of_a_whole_service_it_strikes_that_service_alone(account: Account) -> None:
    account.aws.fault("refuse:*:ConcurrentModification")
    once(account, "s3").list_buckets()
    with pytest.raises(ClientError, match="ConcurrentModification"):
        once(account, "iam").list_roles()


def test_its_string() -> None:
    expected = MomentaryRefusal(api="s3.PutBucketPolicy", code=RefusalName.NO_SUCH_BUCKET, count=2)
    assert parse_fault("refuse:s3.PutBucketPolicy:NoSuchBucket:x2") == expected


@pytest.mark.parametrize("text", ["refuse:s3.PutBucketPolicy:Nothing", "refuse:iam.CreateRole:NoSuchBucket"])
def test_a_refusal_that_no_service_gives_is_no_fault(text: str) -> None:
    with pytest.raises(FaultSyntaxError, match="refuse:API:CODE"):
        parse_fault(text)


@pytest.mark.parametrize("row", PASSING, ids=lambda one: f"{one.service}-{one.words}")
def test_every_refusal_that_the_provisioner_waits_out_can_be_switched_on(row: Any) -> None:
    told = [f"{one.code}: {one.text}" for (service, _), one in PASSING_ANSWERS.items() if service == row.service]
    assert [text for text in told if row.words in text]
