"""Reads of S3: whatever is listed or answered is a page, an object, or an error that says what to do."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ReadTimeoutError

from container.batch_job_wire.result_frames import ResultError, encode_result, read_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.object_store import Listed, ObjectStore
from engine.aws.session import AwsSession
from tests.support.engine.answering_server import answering

TASK_ID = bytes(16)
META = ResultMeta(TASK_ID.hex(), ResultStatus.SUCCESS, "returning", 1, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test")


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    made = ObjectStore(AwsSession("us-east-1", 4), "bucket")
    yield made
    made.close()


def listing(*keys: str, rest: str = "") -> bytes:
    entries = "".join(f"<Contents><Key>{quote(key)}</Key><Size>7</Size></Contents>" for key in keys)
    return (
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{entries}{rest}</ListBucketResult>'.encode()
    )


def test_a_listing_asks_for_encoded_keys_and_decodes_them(store: ObjectStore) -> None:
    keys = ("a/plain", "a/ü and + and %41", "a/<&>")
    with answering(listing(*keys)) as asked:
        assert store.list_page("a/").objects == tuple(Listed(key, 7) for key in keys)
    assert "encoding-type=url" in asked[0]


def as_s3_writes(key: str, size: int, more: str = "") -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-11-29T10:00:00.000Z</LastModified><ETag>&quot;e{size}-1&quot;"
        f"</ETag>{more}<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


@pytest.mark.parametrize(
    "odd",
    [
        "",
        as_s3_writes("b/%C3%BC", 8),
        as_s3_writes("b/x", 8, "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"),
        as_s3_writes("b/x", 8, "<Owner><ID>me</ID></Owner>"),
        "<Contents>\n<Key>b</Key><Size>8</Size></Contents>",
        "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>",
    ],
)
def test_a_listing_is_the_same_however_its_entries_are_written(store: ObjectStore, odd: str) -> None:
    body = listing(rest=as_s3_writes("a/1", 7) + odd + as_s3_writes("c/3", 9))
    entries = ElementTree.fromstring(body).findall("{*}Contents")
    expected = [(unquote(one.findtext("{*}Key", "")), one.findtext("{*}ETag", "")) for one in entries]
    with answering(body):
        assert [(one.key, one.etag) for one in store.list_page("a/").objects] == expected


@pytest.mark.parametrize(("call", "answer_s"), [("list_page", 10.0), ("get", 60)])
def test_a_listing_that_hangs_is_given_up_sooner_than_an_object(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, call: str, answer_s: float
) -> None:
    bounds: list[float] = []

    class Silent:
        def get(self, *_: object) -> None:
            raise ReadTimeoutError(endpoint_url="x")

        def close(self) -> None: ...

    def silent(base: str, ca_bundle: str | None, answer_s: float, most: int) -> Silent:
        bounds.append(answer_s)
        return Silent()

    monkeypatch.setattr("engine.aws.object_store.get_connections", silent)
    with answering(b""), pytest.raises(ReadTimeoutError):
        getattr(store, call)("a")
    assert bounds == [answer_s]


def test_keys_that_no_manager_writes_are_left_out_of_a_listing(store: ObjectStore) -> None:
    odd = ("a/\x01", "a/\x1b[31m", "a/new\nline", "a/\x7f", "a/\uffff", "a/\x85")
    with answering(listing("a/1", *odd, "a/2")):
        assert [one.key for one in store.list_page("a/").objects] == ["a/1", "a/2"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in",
        b"<html><body>Sign in</body></html>",
        listing("a")[:-9],
        listing(rest="<Contents><Key>a</Key><Size>many</Size></Contents>"),
        listing("a", rest="<IsTruncated>true</IsTruncated>"),
    ],
    ids=["empty", "HTML", "XML of something else", "cut", "a size that is none", "no token for the rest"],
)
def test_an_answer_that_is_no_listing_is_asked_for_again(store: ObjectStore, body: bytes) -> None:
    with answering(body), pytest.raises(AwsError, match="MalformedAnswer") as caught:
        store.list_page("a/")
    assert caught.value.action is ErrorAction.RETRY_LATER


def test_an_error_whose_body_is_no_xml_is_told_by_its_status(store: ObjectStore) -> None:
    with answering(b"\x00 no XML" * 100_000, status=503), pytest.raises(AwsError, match="503"):
        store.get("key")


def test_a_stream_that_breaks_off_is_a_short_part(store: ObjectStore) -> None:
    with answering(b"abc", claimed=100):
        assert store.read("key", lambda read_part: read_part(100)) == b"abc"


def test_a_connection_is_used_again_after_an_object_was_read_or_refused(store: ObjectStore) -> None:
    frame = bytes(encode_result(META, b"body"))
    with answering(frame):
        for _ in range(3):
            assert store.read("key", lambda read_part: read_result(read_part, TASK_ID)) == (META, b"body")
            with pytest.raises(ResultError):
                store.read("key", lambda read_part: read_result(read_part, b"another task's i"))


def test_a_large_frame_is_in_memory_once(store: ObjectStore) -> None:
    frame = bytes(encode_result(META, bytes(20 << 20)))
    with answering(frame):
        store.read("key", lambda read_part: read_part(1))  # botocore loads its models
        tracemalloc.start()
        try:
            _, body = store.read("key", lambda read_part: read_result(read_part, TASK_ID))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert len(body) == 20 << 20
    assert peak < 1.2 * len(frame)


def test_what_s3_says_is_one_printable_line(store: ObjectStore) -> None:
    body = b"<Error><Code>Odd&#10;Code</Code><Message>forged&#10;line " + b"z" * 10_000 + b"</Message></Error>"
    with answering(body, status=400), pytest.raises(AwsError) as caught:
        store.get("key")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000


OWNER = "123456789012"


def owned() -> AwsSession:
    session = AwsSession("us-east-1", 4)
    session.bucket_owner = OWNER
    return session


def test_reads_name_the_account_that_must_own_the_bucket() -> None:
    store, owners = ObjectStore(owned(), "bucket"), list[str | None]()
    with answering(listing("a"), owners=owners):
        store.list_page("a")
    store.close()
    assert owners == [OWNER]


def test_every_call_of_the_session_does_so_too() -> None:
    owners = list[str | None]()
    with answering(b"", owners=owners):
        owned().client("s3").get_object(Bucket="bucket", Key="k")
    assert owners == [OWNER]
