"""S3's hot calls on moto's own bucket objects: PUT, GET, HEAD of an object, ListObjectsV2.

moto takes 4 to 5 ms for each; this takes a tenth. Whatever is not plain (versions, locks, policies, copies, tags,
multi-part, delimiters) stays moto's: `answer` then gives None. Caller holds moto's lock.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and its neighbours.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey, s3_backends

from provisioner.local.http.server import HttpRequest, HttpResponse

XML: Final = {"Content-Type": "application/xml"}
MAX_KEYS: Final = 1000
PLAIN_QUERY: Final = {"x-id"}
LIST_QUERY: Final = {"list-type", "prefix", "max-keys", "continuation-token", "start-after", "encoding-type"}
PLAIN_HEADERS: Final = {
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-checksum-mode",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc64nvme",
    "x-amz-user-agent",
    "x-amz-expected-bucket-owner",
}
RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


class S3Error(Exception):
    """An S3 error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error_response(request: HttpRequest, error: S3Error) -> HttpResponse:
    """An S3 error as HTTP; without a body where the request was a HEAD."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message></Error>"
    )
    return HttpResponse(error.status, dict(XML), b"" if request.method == "HEAD" else body.encode())


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer, or None when the call is not one of the plain hot ones."""
    bucket_name, _, key = unquote(request.path).lstrip("/").partition("/")
    query = parse_qs(request.query, keep_blank_values=True)
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket_name)
    if bucket is None or not is_plain_bucket(bucket) or not is_plain(request):
        return None
    try:
        if key:
            return on_object(request, bucket, key) if query.keys() <= PLAIN_QUERY else None
        listing = request.method == "GET" and query.get("list-type") == ["2"]
        return list_objects(bucket, query) if listing and query.keys() <= LIST_QUERY else None
    except S3Error as error:
        return error_response(request, error)


def refuse_other_owner(request: HttpRequest) -> HttpResponse | None:
    """Refusal of a request whose bucket is of another account than it expects; None when it may go on.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    expected = request.headers.get("x-amz-expected-bucket-owner", DEFAULT_ACCOUNT_ID)
    bucket_name = unquote(request.path).lstrip("/").partition("/")[0]
    if expected == DEFAULT_ACCOUNT_ID or bucket_name not in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets:
        return None
    return error_response(request, S3Error(403, "AccessDenied", "Access Denied"))


def is_plain_bucket(bucket: Any) -> bool:
    """Whether the bucket has nothing that would make its objects special: versions, locks, policy, logging."""
    special = (
        bucket.versioning_status,
        bucket.policy,
        bucket.notification_configuration,
        bucket.object_lock_enabled,
        bucket.logging,
    )
    return not any(special)


def is_plain(request: HttpRequest) -> bool:
    """Whether the request asks for nothing special by its headers."""
    special = any(name.startswith("x-amz-") and name not in PLAIN_HEADERS for name in request.headers)
    streamed = request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    return not special and not streamed


def on_object(request: HttpRequest, bucket: Any, key: str) -> HttpResponse | None:
    """Answer PUT, GET or HEAD of an object; None for what is moto's. Raises `S3Error`."""
    if request.method == "PUT":
        return put(request, bucket, key)
    conditional = "if-match" in request.headers or "if-none-match" in request.headers
    if request.method not in ("GET", "HEAD") or conditional:
        return None
    return get(request, found(bucket, key))


def found(bucket: Any, key: str) -> FakeKey:
    """The object of that key. Raises `S3Error` when there is none."""
    existing = bucket.keys.get(key)
    if existing is None:
        raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
    return existing


def put(request: HttpRequest, bucket: Any, key: str) -> HttpResponse:
    """PutObject with conditional writes. Raises `S3Error`."""
    check_conditions(request.headers, bucket.keys.get(key))
    etag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    stored = backend.put_object(bucket.name, key, request.body, etag=etag, disable_notification=True)
    if "content-type" in request.headers:
        stored.metadata["Content-Type"] = request.headers["content-type"]
    return HttpResponse(200, object_headers(stored))


def check_conditions(headers: Mapping[str, str], existing: FakeKey | None) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
    wanted = headers.get("if-match")
    if wanted is not None and existing is None:
        raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
    changed = wanted is not None and existing is not None and existing.etag.strip('"') != wanted.strip('"')
    if changed or (headers.get("if-none-match") == "*" and existing is not None):
        text = "At least one of the pre-conditions you specified did not hold"
        raise S3Error(412, "PreconditionFailed", text)


def object_headers(key: FakeKey) -> dict[str, str]:
    """Headers that PUT, GET and HEAD of an object have in common."""
    headers = {"ETag": key.etag, "x-amz-request-id": "LOCAL"}
    if key.encryption is not None:
        headers["x-amz-server-side-encryption"] = key.encryption
    return headers


def get(request: HttpRequest, key: FakeKey) -> HttpResponse:
    """GetObject or HeadObject, in whole or by range. Raises `S3Error`."""
    headers = object_headers(key) | dict(key.metadata)
    headers["Last-Modified"] = key.last_modified_RFC1123
    headers["Accept-Ranges"] = "bytes"
    start, end = byte_range(request.headers.get("range"), key.size)
    status = 200 if (start, end) == (0, key.size) and "range" not in request.headers else 206
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{key.size}"
    headers["Content-Length"] = str(end - start)
    body = b"" if request.method == "HEAD" else read(key, start, end)
    return HttpResponse(status, headers, body)


def byte_range(given: str | None, size: int) -> tuple[int, int]:
    """Begin and end of what is wanted. S3 ignores a range that it can't read, as HTTP says."""
    match = RANGE.fullmatch(given or "")
    if match is None or match[0] == "bytes=-":
        return 0, size
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
    if start >= end:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    return start, end


def read(key: FakeKey, start: int, end: int) -> bytes:
    """Just the range: `key.value` would copy a bundle of 64 MiB for each 64 KiB of it."""
    with key.lock:
        key._value_buffer.seek(start)
        data: bytes = key._value_buffer.read(end - start)
    return data


def list_objects(bucket: Any, query: Mapping[str, list[str]]) -> HttpResponse:
    """A page of ListObjectsV2, in the order of the keys' UTF-8 bytes."""
    prefix = query.get("prefix", [""])[0]
    token = query.get("continuation-token", [""])[0]
    after = decode_token(token) if token else query.get("start-after", [""])[0]
    limit = min(int(query.get("max-keys", [MAX_KEYS])[0]), MAX_KEYS)
    names = sorted(name for name in bucket.keys if name > after and name.startswith(prefix))
    page = names[:limit]
    truncated = len(names) > len(page)
    encode = quote if query.get("encoding-type") == ["url"] else escape
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{bucket.name}</Name><Prefix>{encode(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(truncated).lower()}</IsTruncated>"
    ]
    if encode is quote:
        parts.append("<EncodingType>url</EncodingType>")
    if truncated and page:
        parts.append(f"<NextContinuationToken>{encode_token(page[-1])}</NextContinuationToken>")
    parts.extend(listed(encode(name), bucket.keys[name]) for name in page)
    parts.append("</ListBucketResult>")
    return HttpResponse(200, dict(XML), "".join(parts).encode())


def listed(name: str, key: FakeKey) -> str:
    """A key as ListObjectsV2 shows it."""
    return (
        f"<Contents><Key>{name}</Key><LastModified>{key.last_modified_ISO8601}</LastModified>"
        f"<ETag>{escape(key.etag)}</ETag><Size>{key.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def encode_token(name: str) -> str:
    """Continuation token that stands for the last key of a page."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def decode_token(token: str) -> str:
    """The key that a continuation token stands for."""
    return base64.urlsafe_b64decode(token).decode()
