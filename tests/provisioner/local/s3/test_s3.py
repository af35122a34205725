"""S3 by boto3: the hot calls that are our own behave like S3, and moto's rest works beside them."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.local.http.server import HttpRequest
from provisioner.local.s3 import objects
from tests.support.local_aws.account import BUCKET, Account
from tests.support.provisioner.account import ACCOUNT


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def put(account: Account, key: str, body: bytes = b"body", **more: Any) -> str:
    return str(account.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)["ETag"])


def get(account: Account, key: str, **more: Any) -> Any:
    return account.s3.get_object(Bucket=BUCKET, Key=key, **more)


def test_what_was_put_comes_back(account: Account) -> None:
    etag = put(account, "a/ü +%25 b", b"\0\xff" * 1000, ContentType="text/x")
    answer = get(account, "a/ü +%25 b")
    assert answer["Body"].read() == b"\0\xff" * 1000
    assert (answer["ETag"], answer["ContentType"], answer["ContentLength"]) == (etag, "text/x", 2000)


def test_an_empty_object(account: Account) -> None:
    put(account, "empty", b"")
    assert get(account, "empty")["Body"].read() == b""


def test_a_large_object(account: Account) -> None:
    body = bytes(range(256)) * 4096 * 20
    put(account, "large", body)
    assert get(account, "large")["Body"].read() == body


@pytest.mark.parametrize(
    ("wanted", "expected", "range_told"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=0-9", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges(account: Account, wanted: str, expected: bytes, range_told: str) -> None:
    put(account, "digits", b"0123456789")
    answer = get(account, "digits", Range=wanted)
    assert (answer["Body"].read(), answer["ContentRange"]) == (expected, range_told)


def test_a_range_past_the_end(account: Account) -> None:
    put(account, "digits", b"0123456789")
    assert refused(lambda: get(account, "digits", Range="bytes=10-20")) == (416, "InvalidRange")


def test_what_is_missing(account: Account) -> None:
    assert refused(lambda: get(account, "missing")) == (404, "NoSuchKey")
    assert refused(lambda: account.s3.head_object(Bucket=BUCKET, Key="missing")) == (404, "404")
    assert refused(lambda: account.s3.get_object(Bucket="none", Key="k")) == (404, "NoSuchBucket")


def test_head_tells_size_time_and_etag(account: Account) -> None:
    etag = put(account, "head", b"12345")
    head = account.s3.head_object(Bucket=BUCKET, Key="head")
    assert (head["ContentLength"], head["ETag"]) == (5, etag)
    now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert 0 <= (now - head["LastModified"]).total_seconds() < 60


def test_create_only_if_it_is_not_there(account: Account) -> None:
    account.s3.delete_object(Bucket=BUCKET, Key="lease")
    put(account, "lease", b"first", IfNoneMatch="*")
    assert refused(lambda: put(account, "lease", b"second", IfNoneMatch="*")) == (412, "PreconditionFailed")
    assert get(account, "lease")["Body"].read() == b"first"


def test_overwrite_only_what_was_seen(account: Account) -> None:
    first = put(account, "seen", b"first")
    second = put(account, "seen", b"second", IfMatch=first)
    assert refused(lambda: put(account, "seen", b"third", IfMatch=first)) == (412, "PreconditionFailed")
    assert put(account, "seen", b"third", IfMatch=second) != second
    assert refused(lambda: put(account, "never", b"", IfMatch=first)) == (404, "NoSuchKey")


@pytest.mark.long
def test_listing_in_order_by_prefix_and_page(account: Account) -> None:
    keys = [f"list/{index:04d} &" for index in range(1005)]
    for key in reversed(keys):
        put(account, key, b"x")
    first = account.s3.list_objects_v2(Bucket=BUCKET, Prefix="list/")
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    rest = account.s3.list_objects_v2(Bucket=BUCKET, Prefix="list/", ContinuationToken=first["NextContinuationToken"])
    assert [one["Key"] for one in first["Contents"] + rest["Contents"]] == keys
    assert account.s3.list_objects_v2(Bucket=BUCKET, Prefix="list/", StartAfter=keys[-2])["KeyCount"] == 1


def test_deleting_many_and_listing_folders_by_moto(account: Account) -> None:
    for key in ("many/a/1", "many/b/1"):
        put(account, key)
    folders = account.s3.list_objects_v2(Bucket=BUCKET, Prefix="many/", Delimiter="/")["CommonPrefixes"]
    assert folders == [{"Prefix": "many/a/"}, {"Prefix": "many/b/"}]
    objects = {"Objects": [{"Key": "many/a/1"}, {"Key": "many/b/1"}]}
    account.s3.delete_objects(Bucket=BUCKET, Delete=objects)
    assert account.s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")["KeyCount"] == 0


def test_an_upload_in_chunks_comes_back_whole(account: Account) -> None:
    put(account, "checked", b"checked", ChecksumAlgorithm="SHA256")
    assert get(account, "checked")["Body"].read() == b"checked"


def test_a_store_that_ignores_conditions_writes_over_what_is_there(account: Account) -> None:
    s3 = account.aws.client("s3")
    account.aws.fault("ignore-conditions:1:match=*/ignored")
    for body in (b"first", b"second"):
        s3.put_object(Bucket=BUCKET, Key="ignored", Body=body, IfNoneMatch="*")
    assert s3.get_object(Bucket=BUCKET, Key="ignored")["Body"].read() == b"second"
    s3.put_object(Bucket=BUCKET, Key="heeded", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="heeded", Body=b"second", IfNoneMatch="*")


def test_a_bucket_of_another_account_than_expected_is_refused(account: Account) -> None:
    put(account, "ours", ExpectedBucketOwner=ACCOUNT)
    assert get(account, "ours", ExpectedBucketOwner=ACCOUNT)["Body"].read() == b"body"
    others: dict[str, Any] = {"ExpectedBucketOwner": "9" * 12}
    assert refused(lambda: put(account, "ours", **others)) == (403, "AccessDenied")
    assert refused(lambda: get(account, "ours", **others)) == (403, "AccessDenied")


def test_an_expected_owner_keeps_the_hot_calls_ours() -> None:
    request = HttpRequest("PUT", f"/{BUCKET}/hot", "", {"x-amz-expected-bucket-owner": ACCOUNT}, b"body")
    assert objects.is_plain(request)
