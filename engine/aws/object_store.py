"""Object store for cheap reads of one bucket: without botocore's signer, HTTP layer and parsers.

A boto3 GetObject costs 1.4 ms of CPU and the parsing of a listing 99 ms; results are read once a task, and the
listing all the time. Everything else goes through boto3's client. Blocking: called in `AwsClient`'s threads.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

from botocore.exceptions import NoCredentialsError

from container.batch_job_quoting import quote_foreign
from engine.aws.calls.get_connections import GetConnections, get_connections
from engine.aws.calls.get_signature import signed_headers
from engine.aws.calls.operations import GET_OBJECT, LIST_OBJECTS, Operation
from engine.aws.errors import AwsError, ErrorAction, classify_answer
from engine.aws.session import OWNER_HEADER, READ_TIMEOUT_S, USER_AGENT, AwsSession

T = TypeVar("T")
ReadPart = Callable[[int], bytes]
"""Gives the next bytes of a stream, as many as asked for; fewer at its end only."""

MALFORMED: Final = "MalformedAnswer"
"""Code of an answer with status 200 that isn't what S3 sends: a proxy's page, or part of a listing."""
ERROR_BYTES: Final = 64 * 1024
"""Bytes of an error's body that are read."""

_NAMESPACE: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_PLAIN_ENTRY: Final = re.compile(
    rb"<Contents><Key>([!-$'-*,-;=-~]+)</Key><LastModified>[\w:.-]+</LastModified>"
    rb'<ETag>(?:&quot;|")([\w-]+)(?:&quot;|")</ETag>(?:<Checksum\w+>\w+</Checksum\w+>)*'
    rb"<Size>(\d+)</Size><StorageClass>\w+</StorageClass></Contents>"
)
_PLAIN_ENTRIES: Final = re.compile(b"(?:%b)+" % re.sub(rb"\((?!\?)", b"(?:", _PLAIN_ENTRY.pattern))
"""The first run of them. No character of a key means anything in XML or is an escape of its encoding."""
_UNSPEAKABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
"""What XML 1.0 can't hold or a log shouldn't; U+FFFD stands for bytes that are no UTF-8."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Object in a listing; `size` in bytes. Another content has another `etag`."""

    key: str
    size: int
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Page of a listing; `next_token` None on the last."""

    objects: tuple[Listed, ...]
    next_token: str | None


_Parsed = tuple[list[Listed], ElementTree.Element]
"""Entries of a listing, and what is around them."""


class ObjectStore:
    """Reader of `bucket`; safe to use from several threads."""

    def __init__(self, session: AwsSession, bucket: str) -> None:
        self.bucket = bucket
        self._session = session
        self._lock = threading.Lock()
        self._generation = -1
        self._credentials: Any = None
        self._base = ""
        self._connections: dict[float, GetConnections] = {}
        """Connections by the seconds that an answer may take."""

    def get(self, key: str) -> bytes:
        """Read an object. Raises `AwsError` and botocore's connection errors."""
        return self._send(GET_OBJECT, f"/{quote(key)}", {})

    def read(self, key: str, parse: Callable[[ReadPart], T]) -> T:
        """Read an object through `parse`, which asks for the parts that it wants and gets each in memory once.

        Raises as `get` does, and what `parse` raises; then the rest isn't read.
        """
        with self._open(GET_OBJECT, f"/{quote(key)}", {}) as read_part:
            return parse(read_part)

    def list_page(self, prefix: str, start_after: str = "", token: str | None = None) -> ListPage:
        """List up to 1,000 objects below `prefix`, in key order, behind the key `start_after`.

        Keys come URL-encoded, since XML can't hold them all; what no manager writes (control characters) is left out,
        so that nobody tries to delete it in bulk. Raises as `get` does; an answer that is no listing is to be retried.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        if token is not None:
            query["continuation-token"] = token
        elif start_after:
            query["start-after"] = start_after
        return _parse_listing(self._send(LIST_OBJECTS, "/", query))

    def close(self) -> None:
        """Close the connections; the next read opens new ones."""
        with self._lock:
            self._close_connections()
            self._generation = -1

    def _close_connections(self) -> None:
        for connections in self._connections.values():
            connections.close()
        self._connections = {}

    def _send(self, operation: Operation, path: str, query: dict[str, str]) -> bytes:
        with self._open(operation, path, query) as read_part:
            return read_part(-1)

    @contextmanager
    def _open(self, operation: Operation, path: str, query: dict[str, str]) -> Iterator[ReadPart]:
        """The body of an answer as a stream, whose connection goes back to the pool when it was read to its end."""
        connections = self._prepare(operation.answer_s or READ_TIMEOUT_S)
        answer = connections.get(*self._signed(path, query))
        try:
            if answer.status not in (200, 206):
                code, message = _parse_error(answer.read(ERROR_BYTES), answer.status, answer.headers)
                raise classify_answer(operation.name, answer.status, code, message)
            yield answer.read
        finally:
            answer.end()

    def _prepare(self, answer_s: float) -> GetConnections:
        with self._lock:
            if self._generation != self._session.generation:
                self._find_bucket()
            if answer_s not in self._connections:
                ca_bundle = self._session.config_value("ca_bundle")
                self._connections[answer_s] = get_connections(
                    self._base, ca_bundle, answer_s, self._session.connections
                )
            return self._connections[answer_s]

    def _find_bucket(self) -> None:
        """botocore decides which host and path serve the bucket: endpoints, addressing style and their settings."""
        generation = self._session.generation
        credentials = self._session.credentials()
        if credentials is None:
            raise NoCredentialsError
        client = self._session.client("s3")
        signed = client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": "k"})
        base = signed.partition("?")[0].removesuffix("/k")
        if base != self._base:
            self._close_connections()
            self._base = base
        self._credentials, self._generation = credentials, generation

    def _signed(self, path: str, query: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The URL, and the headers of a GET of it."""
        url = self._base + path
        if query:
            url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
        owner = self._session.bucket_owner
        headers = {"User-Agent": USER_AGENT, **({OWNER_HEADER: owner} if owner is not None else {})}
        frozen = self._credentials.get_frozen_credentials()
        return url, signed_headers(url, headers, frozen, self._session.region)


def _parse_listing(body: bytes) -> ListPage:
    try:
        entries, root = _parse_plain(body) or _parse_whole(body)
    except (ElementTree.ParseError, ValueError):
        raise _malformed(body) from None
    token = root.findtext(f"{_NAMESPACE}NextContinuationToken")
    is_cut = root.findtext(f"{_NAMESPACE}IsTruncated") == "true"
    if root.tag != f"{_NAMESPACE}ListBucketResult" or (is_cut and not token):
        raise _malformed(body)
    return ListPage(tuple(entries), token)


def _parse_plain(body: bytes) -> _Parsed | None:
    """Entries as S3 writes them without a parser of XML, a fourth of its price; None when there are others, too."""
    found = _PLAIN_ENTRIES.search(body)
    if found is None:
        return None
    root = ElementTree.fromstring(body[: found.start()] + body[found.end() :])
    if root.find(f"{_NAMESPACE}Contents") is not None:
        return None
    entries = [
        Listed(key.decode(), int(size), f'"{etag.decode()}"') for key, etag, size in _PLAIN_ENTRY.findall(found[0])
    ]
    return entries, root


def _parse_whole(body: bytes) -> _Parsed:
    """Raises `ValueError` and what the parser raises."""
    root = ElementTree.fromstring(body)
    entries = [_parse_entry(entry) for entry in root.iter(f"{_NAMESPACE}Contents")]
    return [one for one in entries if not _UNSPEAKABLE.search(one.key)], root


def _parse_entry(entry: ElementTree.Element) -> Listed:
    return Listed(
        unquote_plus(entry.findtext(f"{_NAMESPACE}Key", "")),
        int(entry.findtext(f"{_NAMESPACE}Size", "0")),
        entry.findtext(f"{_NAMESPACE}ETag", ""),
    )


def _malformed(body: bytes) -> AwsError:
    detail = f"{len(body)} bytes that are no listing, with status 200"
    return AwsError("ListObjectsV2", ErrorAction.RETRY_LATER, MALFORMED, detail)


def _parse_error(body: bytes, status: int, headers: Any) -> tuple[str, str]:
    if status in (301, 307):
        region = headers.get("x-amz-bucket-region", "another region")
        return "PermanentRedirect", f"the bucket lies in {quote_foreign(region, 80)}"
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return str(status), "no further detail"
    return quote_foreign(root.findtext("Code", str(status)), 80), quote_foreign(root.findtext("Message", ""))
