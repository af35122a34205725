"""The light S3 client does what boto3's does, as far as the runner can tell, and leaves to boto3 what it can't."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
)

from container.batch_job_s3 import (
    AwsKeys,
    BucketPlace,
    ContainerCredentials,
    FixedCredentials,
    LightClient,
    light_client,
    place_of,
    sign,
)
from tests.support.runner.s3_stand_in import Refusal, S3StandIn

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
REGION = "eu-west-1"


def no_full_client() -> Any:
    raise AssertionError("boto3 was asked for")


def light(s3: S3StandIn, make_full: Callable[[], Any] = no_full_client, source: Any = None) -> LightClient:
    place = BucketPlace("http", s3.endpoint.removeprefix("http://"), "/bucket")
    given = source or FixedCredentials(AwsKeys("AKID", "secret"))
    return LightClient(REGION, given, lambda _: place, make_full, sleep=lambda _: None)


@pytest.mark.parametrize(
    ("method", "key", "query", "extra", "body"),
    [
        ("GET", "tasks/wm/payloads/a-b", "", {"Range": "bytes=0-65535"}, b""),
        ("PUT", "ta sks/ü+=~&/results/x", "", {"x-amz-expected-bucket-owner": "123456789012"}, b"frame"),
        ("PUT", "tasks/results/x", "", {}, bytearray(b"")),
        ("GET", "", "list-type=2&prefix=a%20b%2Fresults%2F", {}, b""),
    ],
)
@pytest.mark.parametrize("token", ["", "a token/with+signs=="])
def test_a_signature_is_the_one_that_botocore_makes(
    method: str, key: str, query: str, extra: dict[str, str], body: bytes, token: str
) -> None:
    path, host = quote(f"/{key}", safe="/~"), "bucket.s3.eu-west-1.amazonaws.com"
    headers = {"Host": host, **extra}
    payload = hashlib.sha256(body).hexdigest()
    sign(method, path, query, headers, payload, AwsKeys("AKID", "secret", token), REGION, now=1_700_000_000.0)
    signature = headers.pop("Authorization").rpartition("=")[2]
    url = f"https://{host}{path}" + (f"?{query}" if query else "")
    request: Any = AWSRequest(method=method, url=url, headers=headers, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth: Any = S3SigV4Auth(BotoCredentials("AKID", "secret", token or None), "s3", REGION)
    assert auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) == signature


@pytest.mark.parametrize(
    ("region", "environ"),
    [
        ("us-east-1", {}),
        ("eu-west-1", {}),
        ("ap-southeast-2", {}),
        ("us-gov-west-1", {}),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://x:1", "AWS_ENDPOINT_URL_S3": "https://bucket.vpce-1.example.com/"}),
    ],
)
def test_requests_go_where_boto3_sends_them(
    monkeypatch: pytest.MonkeyPatch, region: str, environ: dict[str, str]
) -> None:
    for name, value in {**KEYS, **environ}.items():
        monkeypatch.setenv(name, value)
    asked: list[str] = []

    def note(request: Any, **_: Any) -> Any:
        asked.append(request.url)
        return AWSResponse(request.url, 404, HTTPHeaders(), SilentBody())

    client = boto3.client("s3", region_name=region, config=Config(retries={"total_max_attempts": 1}))
    events: Any = client.meta.events
    events.register("before-send.s3", note)
    with pytest.raises(ClientError):
        client.get_object(Bucket="my-bucket", Key="tasks/w m/é~")
    place = place_of(environ, region, "my-bucket")
    assert place is not None
    assert [f"{place.url}{quote('/tasks/w m/é~', safe='/~')}"] == asked


class SilentBody:
    def stream(self, **_: Any) -> list[bytes]:
        return []

    def read(self, *_: Any) -> bytes:
        return b""


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize("more", [{}, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, {"AWS_REGION": "x"}])
def test_a_plain_place_takes_the_light_client(more: dict[str, str]) -> None:
    assert light_client(REGION, no_full_client, {**KEYS, **more}) is not None


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize(
    ("region", "environ"),
    [
        (None, KEYS),
        ("cn-north-1", KEYS),
        ("us-iso-east-1", KEYS),
        ("no region", KEYS),
        ("no region", {**KEYS, "AWS_ENDPOINT_URL": "http://host:9000"}),
        (REGION, {}),
        (REGION, {"AWS_ACCESS_KEY_ID": "only the half of it"}),
        (REGION, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/x"}),
        (REGION, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}),
        (REGION, {**KEYS, "AWS_PROFILE": "other"}),
        (REGION, {**KEYS, "AWS_SECURITY_TOKEN": "by its old name"}),
        (REGION, {**KEYS, "AWS_USE_FIPS_ENDPOINT": "true"}),
        (REGION, {**KEYS, "AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        (REGION, {**KEYS, "AWS_CA_BUNDLE": "/ca.pem"}),
        (REGION, {**KEYS, "HTTPS_PROXY": "http://proxy:3128"}),
        (REGION, {**KEYS, "AWS_CONFIG_FILE": "/dev/null"}),
        (REGION, {**KEYS, "AWS_ENDPOINT_URL": "http://host/with/a/path"}),
    ],
)
def test_any_other_place_is_left_to_boto3(region: str | None, environ: dict[str, str]) -> None:
    assert light_client(region, no_full_client, environ) is None


def test_objects_ranges_and_listings_come_as_from_boto3(s3: S3StandIn) -> None:
    client, names = light(s3), [f"a/results/{n}&" for n in range(5)]
    for name in names:
        client.put_object(Bucket="bucket", Key=name, Body=bytearray(name.encode()))
    assert client.get_object(Bucket="bucket", Key=names[3])["Body"].read() == names[3].encode()
    assert client.get_object(Bucket="bucket", Key=names[3], Range="bytes=2-5")["Body"].read() == b"resu"
    found, more = list[str](), dict[str, str]()
    while True:
        page = client.list_objects_v2(Bucket="bucket", Prefix="a/results/", **more)
        found += [one["Key"] for one in page["Contents"]]
        if "NextContinuationToken" not in page:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
    assert [name.replace("%26", "&") for name in found] == names


@pytest.mark.parametrize(
    ("status", "code", "asked"),
    [(404, "NoSuchKey", 1), (403, "AccessDenied", 1), (503, "SlowDown", 3), (500, "InternalError", 3), (502, "", 3)],
)
def test_a_refusal_is_boto3s_error_after_as_many_tries(s3: S3StandIn, status: int, code: str, asked: int) -> None:
    s3.refusals.append(Refusal("GET", "/key", status, code))
    with pytest.raises(ClientError) as caught:
        light(s3).get_object(Bucket="bucket", Key="key")
    answer: Any = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code or str(status), status)
    assert len(s3.requests) == asked


def test_a_file_goes_in_parts_and_as_a_whole_again_after_a_refusal(s3: S3StandIn) -> None:
    file = NamelessFile(b"part" * 200_000)
    s3.refusals.append(Refusal("PUT", "/key", 503, "SlowDown", count=1))
    light(s3).put_object(Bucket="bucket", Key="key", Body=file)
    assert s3.objects["/bucket/key"] == b"part" * 200_000
    assert file.largest < 800_000


class NamelessFile(io.RawIOBase):
    """File that notes how much is asked of it at once."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.largest = 0

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        self.largest = max(self.largest, len(buffer))
        return self._file.readinto(buffer)


def test_a_refusal_that_passes_is_not_seen(s3: S3StandIn) -> None:
    s3.objects["/bucket/key"] = b"x"
    s3.refusals.append(Refusal("GET", "/key", 400, "RequestTimeout", count=2))
    assert light(s3).get_object(Bucket="bucket", Key="key")["Body"].read() == b"x"


def test_a_bucket_that_lies_elsewhere_is_boto3s_from_then_on(s3: S3StandIn) -> None:
    s3.refusals.append(Refusal("GET", "/key", 301, "PermanentRedirect"))
    full = FullClient()
    client = light(s3, lambda: full)
    for _ in range(2):
        client.get_object(Bucket="bucket", Key="key", Range="bytes=0-1")
    assert full.asked == [{"Bucket": "bucket", "Key": "key", "Range": "bytes=0-1"}] * 2
    assert len(s3.requests) == 1


class FullClient:
    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def get_object(self, **words: str) -> None:
        self.asked.append(words)


def test_nobody_there_and_a_cut_connection_are_boto3s_errors(s3: S3StandIn) -> None:
    client = LightClient(
        REGION,
        FixedCredentials(AwsKeys("AKID", "secret")),
        lambda _: BucketPlace("http", "127.0.0.1:9", "/bucket"),
        no_full_client,
        sleep=lambda _: None,
    )
    with pytest.raises(EndpointConnectionError):
        client.get_object(Bucket="bucket", Key="key")
    s3.cuts = 3
    with pytest.raises(ConnectionClosedError):
        light(s3).get_object(Bucket="bucket", Key="key")


def told(key: str, until: str) -> bytes:
    values = {"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": until}
    return json.dumps(values).encode()


def of_container(s3: S3StandIn) -> ContainerCredentials:
    return ContainerCredentials("/v2/role", s3.endpoint.removeprefix("http://"), sleep=lambda _: None)


def test_the_roles_credentials_are_asked_for_once_and_again_before_they_end_or_are_outdated(s3: S3StandIn) -> None:
    source = of_container(s3)
    s3.objects["/v2/role"] = told("first", "2001-01-01T00:00:00Z")
    assert source.get().access_key == "first"
    s3.objects["/v2/role"] = told("second", "2999-01-01T00:00:00Z")
    assert [source.get().access_key for _ in range(2)] == ["second"] * 2
    s3.objects["/v2/role"] = told("third", "2999-01-01T00:00:00Z")
    s3.refusals.append(Refusal("GET", "/key", 400, "ExpiredToken"))
    with pytest.raises(ClientError):
        light(s3, source=source).get_object(Bucket="bucket", Key="key")
    assert (source.get().access_key, s3.requests.count(("GET", "/v2/role"))) == ("third", 3)


@pytest.mark.parametrize("body", [b"no JSON", b"{}", None])
def test_credentials_that_are_not_told_are_boto3s_error_after_three_tries(s3: S3StandIn, body: bytes | None) -> None:
    if body is not None:
        s3.objects["/v2/role"] = body
    with pytest.raises(CredentialRetrievalError):
        light(s3, source=of_container(s3)).get_object(Bucket="bucket", Key="key")
    assert len(s3.requests) == 3
    assert not issubclass(CredentialRetrievalError, NoCredentialsError)
