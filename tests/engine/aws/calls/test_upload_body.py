"""Body of an upload: small ones go at once, large ones in parts that are copied nowhere."""

from __future__ import annotations

import io

import pytest
from botocore.awsrequest import AWSPreparedRequest

from engine.aws.calls.upload_body import READ_FROM, upload_body
from engine.aws.session import AwsSession


@pytest.mark.parametrize("data", [b"small", bytearray(b"small"), memoryview(b"small")])
def test_a_small_body_goes_at_once(data: bytes | bytearray | memoryview) -> None:
    body = upload_body(data)
    assert isinstance(body, (bytes, bytearray))
    assert body == b"small"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_large_body_is_a_file_that_can_be_read_again(kind: type) -> None:
    data = bytes(range(256)) * (READ_FROM // 256)
    body = upload_body(kind(data))
    assert isinstance(body, io.RawIOBase)
    assert body.seek(0, io.SEEK_END) == len(data)
    for _ in range(2):
        body.seek(0)
        assert b"".join(iter(lambda: body.read(1_000_000), b"")) == data


class Stopped(Exception):
    """Nothing is sent."""


def test_botocore_takes_it_as_the_body_of_a_put_whose_length_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_send(request: AWSPreparedRequest, **_: object) -> None:
        assert request.headers["Content-Length"] == str(READ_FROM)
        raise Stopped

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = AwsSession("us-east-1", 1).client("s3")
    client.meta.events.register_first("before-send", on_send)
    with pytest.raises(Stopped):
        client.put_object(Bucket="b", Key="k", Body=upload_body(memoryview(bytes(READ_FROM))))
