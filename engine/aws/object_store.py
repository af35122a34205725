"""Object store for cheap reads of one bucket: signed by botocore, sent over its HTTP layer, without its parsers.

A boto3 GetObject costs 1.4 ms of CPU and the parsing of a listing 99 ms; results are read once a task, and the
listing all the time. Everything else goes through boto3's client. Blocking: called in `AwsClient`'s threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from engine.aws.errors import classify_answer
from engine.aws.session import READ_TIMEOUT_S, USER_AGENT, AwsSession

_NAMESPACE: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True, slots=True)
class Listed:
    """Object in a listing; `size` in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class ListPage:
    """Page of a listing; `next_token` None on the last."""

    objects: tuple[Listed, ...]
    next_token: str | None


class ObjectStore:
    """Reader of `bucket`; safe to use from several threads."""

    def __init__(self, session: AwsSession, bucket: str) -> None:
        self.bucket = bucket
        self._session = session
        self._lock = threading.Lock()
        self._generation = -1
        self._credentials: Any = None
        self._base = ""
        self._http: URLLib3Session | None = None

    def get(self, key: str) -> bytes:
        """Read an object. Raises `AwsError` and botocore's connection errors."""
        return self._send("GetObject", f"/{quote(key)}", {})

    def list_page(self, prefix: str, start_after: str = "", token: str | None = None) -> ListPage:
        """List up to 1,000 objects below `prefix`, in key order, behind the key `start_after`.

        Raises as `get` does. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        query = {"list-type": "2", "prefix": prefix}
        if token is not None:
            query["continuation-token"] = token
        elif start_after:
            query["start-after"] = start_after
        return _parse_listing(self._send("ListObjectsV2", "/", query))

    def close(self) -> None:
        """Close the connections; the next read opens new ones."""
        with self._lock:
            if self._http is not None:
                self._http.close()
            self._http = None
            self._generation = -1

    def _send(self, api: str, path: str, query: dict[str, str]) -> bytes:
        http = self._prepare()
        response = http.send(self._signed(path, query))
        body: bytes = response.content
        if response.status_code not in (200, 206):
            code, message = _parse_error(body, response.status_code, response.headers)
            raise classify_answer(api, response.status_code, code, message)
        return body

    def _prepare(self) -> URLLib3Session:
        with self._lock:
            if self._http is None or self._generation != self._session.generation:
                self._connect()
            assert self._http is not None
            return self._http

    def _connect(self) -> None:
        """botocore decides which host and path serve the bucket: endpoints, addressing style and their settings."""
        generation = self._session.generation
        credentials = self._session.credentials()
        if credentials is None:
            raise NoCredentialsError
        client = self._session.client("s3")
        signed = client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": "k"})
        self._base = signed.partition("?")[0].removesuffix("/k")
        if self._http is None:
            self._http = URLLib3Session(
                verify=self._session.config_value("ca_bundle") or True,
                proxies=get_environ_proxies(self._base),
                timeout=READ_TIMEOUT_S,
                max_pool_connections=self._session.connections,
            )
        self._credentials, self._generation = credentials, generation

    def _signed(self, path: str, query: dict[str, str]) -> AWSPreparedRequest:
        url = self._base + path
        if query:
            url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
        request = AWSRequest("GET", url, headers={"User-Agent": USER_AGENT})
        frozen = self._credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", self._session.region).add_auth(request)
        return request.prepare()


def _parse_listing(body: bytes) -> ListPage:
    root = ElementTree.fromstring(body)
    objects = tuple(
        Listed(entry.findtext(f"{_NAMESPACE}Key", ""), int(entry.findtext(f"{_NAMESPACE}Size", "0")))
        for entry in root.iter(f"{_NAMESPACE}Contents")
    )
    return ListPage(objects, root.findtext(f"{_NAMESPACE}NextContinuationToken"))


def _parse_error(body: bytes, status: int, headers: Any) -> tuple[str, str]:
    if status in (301, 307):
        region = headers.get("x-amz-bucket-region", "another region")
        return "PermanentRedirect", f"the bucket lies in {region}"
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return str(status), "no further detail"
    return root.findtext("Code", str(status)), root.findtext("Message", "")
