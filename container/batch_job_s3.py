"""A light S3 client over http.client: the three calls that a job makes, without boto3's third of a second of CPU.

It answers and fails like boto3's client (`ClientError`, `BotoCoreError`), retries like its standard mode, and is made
in plain places only: credentials in the environment or from ECS's endpoint, no configuration file, profile, proxy,
certificate or endpoint variant. Anywhere else `light_client` gives None and boto3 it is; a bucket that S3 says lies
elsewhere is boto3's, too, from then on.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import importlib.util
import io
import json
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import botocore
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

_REGION: Final = r"(af|ap|ca|eu|il|me|mx|sa|us)-(gov-)?(north|south|east|west|central){1,2}-\d+"
"""Of the partitions whose hosts end in amazonaws.com."""
_LABEL: Final = r"[a-z0-9]+(-[a-z0-9]+)+"
"""What may be a region of somebody else's S3."""
_BUCKET: Final = r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"
"""Names that stand in a host under TLS, and belong to no special kind of bucket."""
_BOTO3_ONLY: Final = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"),
    *("AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "AWS_DATA_PATH"),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_SECURITY_TOKEN", "AWS_AUTH_SCHEME_PREFERENCE", "AWS_SIGV4A_SIGNING_REGION_SET", "AWS_EXPERIMENTAL_PLUGINS"),
)
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_BOTO3_FILES: Final = ("~/.aws/config", "~/.aws/credentials", "~/.aws/models", "~/.boto", "/etc/boto.cfg")
_ELSEWHERE: Final = ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect")
_RETRIED: Final = (
    *("BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete", "RequestLimitExceeded"),
    *("ProvisionedThroughputExceededException", "RequestThrottled", "RequestThrottledException", "RequestTimeout"),
    *("RequestTimeoutException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException"),
    *("TooManyRequestsException", "TransactionInProgressException"),
)
_OUTDATED: Final = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ATTEMPTS: Final = 3
_TIMEOUT_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 20.0
_BLOCK_BYTES: Final = 256 * 1024  # of a file that is sent
_IDLE_S: Final = 3.0  # S3 closes a connection that nobody uses: beyond this it isn't tried

_METADATA_HOST: Final = "169.254.170.2"
_METADATA_TIMEOUT_S: Final = 2.0
_METADATA_PAUSE_S: Final = 1.0
_EARLY_S: Final = 15 * 60.0  # before their end, when credentials are asked for anew

Environ = Mapping[str, str]


class AwsKeys(NamedTuple):
    """Keys of one principal; `until` is the end of temporary ones, in seconds since the epoch."""

    access_key: str
    secret_key: str
    token: str = ""
    until: float = float("inf")


class ContainerCredentials:
    """Credentials of the job's role from ECS's endpoint, asked for again before they end.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    """

    def __init__(self, path: str, host: str = _METADATA_HOST, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._host = host
        self._sleep = sleep
        self._current: AwsKeys | None = None

    def get(self) -> AwsKeys:
        """Raises `CredentialRetrievalError` when the endpoint gives none, three times."""
        current = self._current
        if current is None or current.until - time.time() < _EARLY_S:
            try:
                self._current = self._ask()
            except CredentialRetrievalError:
                if current is None or current.until <= time.time():
                    raise
        assert self._current is not None
        return self._current

    def forget(self) -> None:
        """Ask anew at the next call: S3 says that they are outdated."""
        self._current = None

    def _ask(self) -> AwsKeys:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return self._fetch()
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
                if not left:
                    reason = f"{type(error).__name__}: {error}"
                    raise CredentialRetrievalError(provider="container-role", error_msg=reason) from error
            self._sleep(_METADATA_PAUSE_S)
        raise AssertionError("the last attempt returns or raises")

    def _fetch(self) -> AwsKeys:
        connection = http.client.HTTPConnection(self._host, timeout=_METADATA_TIMEOUT_S)
        try:
            connection.request("GET", self._path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        told = json.loads(text)
        return AwsKeys(told["AccessKeyId"], told["SecretAccessKey"], told["Token"], _moment(told["Expiration"]))


def _moment(text: str) -> float:
    """Seconds since the epoch of a time like 2030-01-31T12:00:00Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class FixedCredentials:
    """Credentials of the environment."""

    def __init__(self, credentials: AwsKeys) -> None:
        self._credentials = credentials

    def get(self) -> AwsKeys:
        """The same at all times."""
        return self._credentials

    def forget(self) -> None:
        """There are no others."""


class BucketPlace(NamedTuple):
    """Where the requests go: host (with port), and what stands before the key in a path."""

    scheme: str
    host: str
    root: str = ""

    @property
    def url(self) -> str:
        """For errors."""
        return f"{self.scheme}://{self.host}{self.root}"


def place_of(environ: Environ, region: str, bucket: str) -> BucketPlace | None:
    """The bucket's place, as boto3 finds it; None for one that only boto3 knows how to find."""
    given = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if given:
        url = urlsplit(given)
        plain = url.path in ("", "/") and not url.query and "@" not in url.netloc and re.fullmatch(_LABEL, region)
        return BucketPlace(url.scheme, url.netloc, f"/{bucket}") if plain and url.scheme in ("http", "https") else None
    if not re.fullmatch(_REGION, region):
        return None
    host = "s3.amazonaws.com" if region == "us-east-1" else f"s3.{region}.amazonaws.com"
    return BucketPlace("https", f"{bucket}.{host}")


def credentials_of(environ: Environ) -> FixedCredentials | ContainerCredentials | None:
    """The source that boto3 would take, if it is one of those two."""
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if access and secret:
        return FixedCredentials(AwsKeys(access, secret, environ.get("AWS_SESSION_TOKEN", "")))
    path = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    is_other = access or "AWS_WEB_IDENTITY_TOKEN_FILE" in environ
    return ContainerCredentials(path) if path and not is_other else None


def light_client(
    region: str | None, make_full: Callable[[], Any], environ: Environ | None = None
) -> LightClient | None:
    """The light client for a region, or None where boto3 may do something that this one doesn't.

    `make_full` makes boto3's, for what turns out to need that later.
    """
    environ = dict(os.environ if environ is None else environ)
    if any(environ.get(name) for name in _BOTO3_ONLY) or any(name.lower() in _PROXIES for name in environ):
        return None
    if region is None or any(os.path.exists(os.path.expanduser(path)) for path in _BOTO3_FILES):
        return None
    credentials = credentials_of(environ)
    if credentials is None or place_of(environ, region, "bucket") is None:
        return None
    return LightClient(region, credentials, lambda bucket: place_of(environ, region, bucket), make_full)


class LightClient:
    """`get_object`, `put_object` and `list_objects_v2` as of boto3's client, for what the runner gives and reads."""

    def __init__(
        self,
        region: str,
        credentials: FixedCredentials | ContainerCredentials,
        find: Callable[[str], BucketPlace | None],
        make_full: Callable[[], Any],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._region = region
        self._credentials = credentials
        self._find = find
        self._make_full = make_full
        self._sleep = sleep
        self._full: Any = None
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def get_object(self, **words: str) -> dict[str, Any]:
        """The object, or its `Range`; `Body` has `read`."""
        return self._call("GetObject", "GET", words)

    def put_object(self, **words: Any) -> dict[str, Any]:
        """Write `Body`."""
        return self._call("PutObject", "PUT", words)

    def list_objects_v2(self, **words: Any) -> dict[str, Any]:
        """A page: `Contents` with the `Key` of each, `NextContinuationToken` if there is another."""
        return self._call("ListObjectsV2", "GET", words)

    def _call(self, operation: str, method: str, words: Mapping[str, Any]) -> dict[str, Any]:
        place = self._find(words["Bucket"])
        is_plain = place is not None and (place.root != "" or re.fullmatch(_BUCKET, words["Bucket"]))
        if self._full is None and place is not None and is_plain:
            try:
                return self._attempts(operation, method, place, words)
            except _BucketElsewhere:
                pass
        self._full = self._full or self._make_full()
        names = {"GetObject": "get_object", "PutObject": "put_object", "ListObjectsV2": "list_objects_v2"}
        answer: dict[str, Any] = getattr(self._full, names[operation])(**words)
        return answer

    def _attempts(self, operation: str, method: str, place: BucketPlace, words: Mapping[str, Any]) -> dict[str, Any]:
        for left in reversed(range(_ATTEMPTS)):
            try:
                status, body = self._send(method, place, words)
                if status < 300:
                    return _listing(body) if operation == "ListObjectsV2" else {"Body": io.BytesIO(body)}
                self._refuse(operation, status, body, is_last=not left)
            except (OSError, http.client.HTTPException) as error:
                self._close()
                if not left:
                    raise _failure(place, error) from error
            self._sleep(random.random() * min(2.0 ** (_ATTEMPTS - 1 - left), _LONGEST_PAUSE_S))
        raise AssertionError("the last attempt returns or raises")

    def _refuse(self, operation: str, status: int, body: bytes, *, is_last: bool) -> None:
        """Raise what boto3 would; return for what is tried again."""
        code, message = _element(body, "Code") or str(status), _element(body, "Message")
        if status in (301, 307, 308) or code in _ELSEWHERE:
            raise _BucketElsewhere
        if code in _OUTDATED:
            self._credentials.forget()
        if is_last or not (status in (500, 502, 503, 504) or code in _RETRIED):
            about: Any = {"HTTPStatusCode": status}
            raise ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, operation)

    def _send(self, method: str, place: BucketPlace, words: Mapping[str, Any]) -> tuple[int, bytes]:
        path = quote(f"{place.root}/{words.get('Key', '')}", safe="/~")
        query = _query(words)
        body = words.get("Body", b"")
        headers = {"Host": place.host, **_optional_headers(words)}
        sign(method, path, query, headers, _sha256(body), self._credentials.get(), self._region)
        headers["User-Agent"] = "scaler-batch-runner"
        if isinstance(body, io.RawIOBase):
            headers["Content-Length"] = str(body.tell())  # read to its end
            body.seek(0)
        connection = self._connect(place)
        try:
            connection.request(method, f"{path}?{query}" if query else path, body or None, headers)
        except (BrokenPipeError, ConnectionResetError):  # S3 may have answered before it had all of the body
            if not body:
                raise
        answer = connection.getresponse()
        data = answer.read()
        self._used_at = time.monotonic()
        return answer.status, data

    def _connect(self, place: BucketPlace) -> http.client.HTTPConnection:
        if self._connection is not None and time.monotonic() - self._used_at > _IDLE_S:
            self._close()
        if self._connection is None:
            if place.scheme == "https":
                context = ssl.create_default_context(cafile=_certificates())
                self._connection = http.client.HTTPSConnection(
                    place.host, timeout=_TIMEOUT_S, context=context, blocksize=_BLOCK_BYTES
                )
            else:
                self._connection = http.client.HTTPConnection(place.host, timeout=_TIMEOUT_S, blocksize=_BLOCK_BYTES)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _BucketElsewhere(Exception):
    """S3 says that the bucket lies in another region, or is to be asked for in another way."""


def _sha256(body: bytes | bytearray | io.RawIOBase) -> str:
    if not isinstance(body, io.RawIOBase):
        return hashlib.sha256(body).hexdigest()
    digest = hashlib.sha256()
    body.seek(0)
    while part := body.read(_BLOCK_BYTES):
        digest.update(part)
    return digest.hexdigest()


def _certificates() -> str:
    """The file that botocore takes: certifi's, if that is installed, or the one that it brings."""
    certifi = importlib.util.find_spec("certifi")
    brought = botocore.__file__ if certifi is None or certifi.origin is None else certifi.origin
    return os.path.join(os.path.dirname(brought), "cacert.pem")


def _failure(place: BucketPlace, error: Exception) -> Exception:
    """What boto3 raises instead."""
    if isinstance(error, ssl.SSLError):
        return SSLError(endpoint_url=place.url, error=error)
    if isinstance(error, TimeoutError):
        return ReadTimeoutError(endpoint_url=place.url, error=error)
    if isinstance(error, (http.client.HTTPException, ConnectionResetError, BrokenPipeError)):
        return ConnectionClosedError(endpoint_url=place.url, error=error)
    return EndpointConnectionError(endpoint_url=place.url, error=error)


def _optional_headers(words: Mapping[str, Any]) -> dict[str, str]:
    given = {"Range": words.get("Range"), "x-amz-expected-bucket-owner": words.get("ExpectedBucketOwner")}
    return {name: value for name, value in given.items() if value is not None}


def _query(words: Mapping[str, Any]) -> str:
    """In the order of the names, as the signature wants it."""
    if "Prefix" not in words:
        return ""
    token, most = words.get("ContinuationToken"), words.get("MaxKeys")
    given = {"continuation-token": token, "list-type": "2", "max-keys": most and str(most), "prefix": words["Prefix"]}
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in given.items() if value)


def _listing(body: bytes) -> dict[str, Any]:
    keys = re.findall(rb"<Key>(.*?)</Key>", body, re.DOTALL)
    page: dict[str, Any] = {"Contents": [{"Key": _text(key)} for key in keys]}
    token = _element(body, "NextContinuationToken")
    return {**page, "NextContinuationToken": token} if token else page


def _element(body: bytes, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>".encode(), body, re.DOTALL)
    return _text(found[1]) if found else ""


def _text(data: bytes) -> str:
    import html  # late: a single job lists nothing

    return html.unescape(data.decode(errors="replace"))


def sign(
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    payload: str,
    credentials: AwsKeys,
    region: str,
    now: float | None = None,
) -> None:
    """Add the headers of Signature Version 4 to `headers`, all of which are signed; `payload` is the body's sha256."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers.update({"X-Amz-Date": moment, "X-Amz-Content-SHA256": payload})
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    named = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in named)
    lines = (method, path, query, *(f"{name}:{value}" for name, value in named), "", names, payload)
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{request}"):
        key = hmac.digest(key, part.encode(), "sha256")
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
