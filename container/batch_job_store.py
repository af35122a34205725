"""The job's part of S3: reads ranges and objects, asks whether one exists, writes the result until it is written."""

from __future__ import annotations

import os
import random
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from batch_job_quoting import log, quote_foreign
from batch_job_s3 import light_client
from batch_job_wire.code_archive import checked_code
from batch_job_wire.protocol import blob_key, loggable
from batch_job_wire.result_frames import StoredFrame
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
)

if TYPE_CHECKING:
    from zipfile import ZipFile

_DENIED: Final = "AccessDenied"
"""Also S3's answer to who asks for a key that doesn't exist without being allowed to list it."""
_MISSING: Final = ("404", "NoSuchKey", "NotFound")
_PASSING_STATUS: Final = (307, 408, 409, 429)  # redirected for a moment, timed out, in conflict, throttled
_PASSING: Final = (
    "ExpiredToken",
    "ExpiredTokenException",
    "LimitExceededException",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TokenRefreshRequired",
    "TooManyRequestsException",
)
"""Codes of answers with a status below 500 that are throttles, time-outs, or credentials that are renewed."""
_UNREACHABLE: Final = (
    HTTPClientError,
    ConnectionError,
    IncompleteReadError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)
_PART_BYTES: Final = 8 * 2**20
_PATIENCE_S: Final = 120.0  # for a refusal after the function was called: new permissions take effect within this
_CODE_FOLDER: Final = "scaler-batch-code"
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 20.0


class StoreError(Exception):
    """S3 doesn't do what is needed. `recoverable`: another attempt, elsewhere or later, may succeed."""

    def __init__(self, text: str, *, recoverable: bool) -> None:
        super().__init__(text)
        self.recoverable = recoverable


class MissingObject(StoreError):
    """The key doesn't exist."""


class MissingCredentials(StoreError):
    """boto3 finds no credentials: the job definition has no job role, or their service did not answer once."""


def make_client(region: str | None) -> Any:
    """The S3 client of a job: the light one where that will do, or boto3's. Raises `StoreError`."""
    return light_client(region, lambda: make_full_client(region)) or make_full_client(region)


def make_full_client(region: str | None) -> Any:
    """boto3's client, which finds the credentials of the job's role by itself. Raises `StoreError`."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_extra="scaler-batch-runner",
        request_checksum_calculation="when_required",  # frames carry their own
        response_checksum_validation="when_required",
    )
    try:
        return boto3.client("s3", region_name=region, config=config)
    except BotoCoreError as error:
        raise StoreError(f"no client for S3: {quote_foreign(error)}", recoverable=False) from error


@dataclass
class Store:
    """The objects below one worker manager's prefix of a bucket, which must be the account `owner`'s, if one is given.

    After a cleanup anybody may make a bucket of its name, and what lies there is unpickled.
    """

    client: Any
    bucket: str
    prefix: str
    read_patience_s: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    owner: str | None = None
    may_miss: bool = True
    """No key was refused yet that is most likely just missing."""

    def get(self, key: str) -> bytes:
        """A whole object. Raises `StoreError`."""
        return self._get(key)

    def stream(self, key: str, length: int, take: Callable[[int, bytes], None]) -> int:
        """Give the first `length` bytes of an object in parts, each with its offset, and return how many came.

        A part that fails is read again by itself. Raises `StoreError`.
        """
        for offset in range(0, length, _PART_BYTES):
            wanted = min(_PART_BYTES, length - offset)
            try:
                part = self.get_range(key, offset, wanted)
            except StoreError as error:
                if _code(error.__cause__) != "InvalidRange":
                    raise
                part = b""
            take(offset, part)
            if len(part) < wanted:
                return offset + len(part)
        return length

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes, or fewer where the object ends. Raises `StoreError`."""
        return self._get(key, Range=f"bytes={offset}-{offset + length - 1}") if length else b""

    def exists(self, key: str) -> bool:
        """Whether the key exists, as `head` sees it. Raises `StoreError`."""
        return self.head(key, 1) is not None

    def head(self, key: str, length: int) -> bytes | None:
        """The first bytes of the object, or None if there is none; one that may not be seen counts as missing.

        S3 answers 403 instead of 404 to a role without s3:ListBucket, which a role of somebody's own may well lack.
        A GET rather than a HEAD, because only a GET's answer tells a missing key from a missing bucket.
        """
        try:
            return self.get_range(key, 0, length)
        except MissingObject:
            return None
        except StoreError as error:
            if _code(error.__cause__) not in ("InvalidRange", _DENIED):
                raise
            if _code(error.__cause__) == "InvalidRange":  # what S3 says of any range of an empty object
                return b""
            if self.may_miss:  # once a job: a pack looks for many
                log(f"may not look for s3://{self.bucket}/{self.prefix}/{key}, taken as missing: grant s3:ListBucket")
            self.may_miss = False
            return None

    def names(self, prefix: str) -> set[str] | None:
        """What the keys that begin with `prefix` have after it; None if they may not be listed. Raises `StoreError`."""
        found: set[str] = set()
        token: str | None = ""
        while token is not None:
            more = {"ContinuationToken": token} if token else {}
            try:
                page = self._ask(prefix, lambda more=more: self.client.list_objects_v2(**self._listing(prefix), **more))
            except StoreError as error:
                if _code(error.__cause__) != _DENIED:
                    raise
                log(f"may not list s3://{self.bucket}/{self.prefix}/{prefix}: grant s3:ListBucket")
                return None
            start = len(f"{self.prefix}/{prefix}")
            found.update(one["Key"][start:] for one in page.get("Contents", ()))
            token = page.get("NextContinuationToken")
        return found

    def may_list(self, prefix: str) -> bool:
        """Whether the keys that begin with `prefix` may be listed. Raises `StoreError`."""
        try:
            self._ask(prefix, lambda: self.client.list_objects_v2(**self._listing(prefix), MaxKeys=1))
        except StoreError as error:
            if _code(error.__cause__) != _DENIED:
                raise
            return False
        return True

    def put(self, key: str, data: bytes | bytearray | StoredFrame) -> None:
        """Write the object, retrying for as long as the job lives.

        Raises `StoreError` only when S3 keeps refusing (access denied, no such bucket) for two minutes.
        """
        start = self.clock()
        for pause in _pauses():
            try:
                self.client.put_object(**self._place(key), Body=data)
                return
            except (ClientError, BotoCoreError) as error:
                failure = self._failure(key, error)
            if not failure.recoverable and self.clock() - start > _PATIENCE_S:
                raise failure
            self._wait(pause, f"can't write the result yet: {failure}")

    def _get(self, key: str, **options: str) -> bytes:
        data: bytes = self._ask(key, lambda: self.client.get_object(**self._place(key), **options)["Body"].read())
        return data

    def _ask(self, key: str, call: Callable[[], Any]) -> Any:
        start = self.clock()
        for pause in _pauses():
            try:
                return call()
            except (ClientError, BotoCoreError) as error:
                failure = self._failure(key, error, ", or it doesn't exist" if _code(error) == _DENIED else "")
                if not failure.recoverable or self.clock() - start + pause > self.read_patience_s:
                    raise failure from error
            self._wait(pause, str(failure))
        raise AssertionError("pauses never end")

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}/{key}", **self._owner()}

    def _listing(self, prefix: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Prefix": f"{self.prefix}/{prefix}", **self._owner()}

    def _owner(self) -> dict[str, str]:
        return {} if self.owner is None else {"ExpectedBucketOwner": self.owner}

    def _wait(self, pause: float, why: str) -> None:
        wait = pause * (0.5 + self.jitter() / 2)
        log(f"{why}; next try in {wait:.1f} s")
        self.sleep(wait)

    def _failure(self, key: str, error: ClientError | BotoCoreError, doubt: str = "") -> StoreError:
        code, url = _code(error), f"s3://{self.bucket}/{self.prefix}/{loggable(key)}"
        if code in _MISSING:
            return MissingObject(f"{url} doesn't exist", recoverable=False)
        if isinstance(error, NoCredentialsError):
            return MissingCredentials(f"{error}: give the job definition a job role", recoverable=False)
        return StoreError(f"S3 refuses {url}{doubt}: {quote_foreign(error)}", recoverable=_may_pass(error))


def _pauses() -> Iterator[float]:
    """Half a second, doubling up to twenty, for ever."""
    pause = _FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _may_pass(error: ClientError | BotoCoreError) -> bool:
    """By class: a 4xx that is no throttle and no time-out is final, and so is what botocore itself refuses to send."""
    if not isinstance(error, ClientError):
        return isinstance(error, _UNREACHABLE)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status >= 500 or status in _PASSING_STATUS or _code(error) in _PASSING


def _code(error: BaseException | None) -> str | None:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else None


# ---- code of the user's own


def provide_code(store: Store, digest: str) -> tuple[str, ...]:
    """The folders of the archive, unpacked read-only, in the order in which modules are looked for there.

    Unpacked once in a container: what an earlier job left is taken, if nobody else could have written there.
    Raises `StoreError`, `CodeError`, `OSError`.
    """
    shared = _shared_folder()
    ready = None if shared is None else shared / digest
    if ready is None or not ready.is_dir():
        ready = _unpack(checked_code(store.get(blob_key(digest)), digest), shared, ready)
    return tuple(str(one) for one in sorted(ready.iterdir(), key=lambda one: int(one.name)))


def _shared_folder() -> Path | None:
    """A folder that belongs to this user alone; None where somebody else may have made it."""
    folder = Path(tempfile.gettempdir()) / f"{_CODE_FOLDER}-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return folder if is_ours else None


def _unpack(archive: ZipFile, shared: Path | None, ready: Path | None) -> Path:
    """Unpack into a new folder, which becomes `ready` when it is whole; of two jobs that do so one is taken."""
    folder = Path(tempfile.mkdtemp(prefix="unpacked-", dir=shared))
    _write(archive, folder)
    try:
        return folder.rename(ready or folder)
    except OSError:
        if ready is None or not ready.is_dir():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        return ready


def _read_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o444)


def _write(archive: ZipFile, folder: Path) -> None:
    for inside in {one.filename.rpartition("/")[0] for one in archive.infolist()}:
        (folder / inside).mkdir(parents=True, exist_ok=True)
    for member in archive.infolist():
        with open(os.path.join(folder, member.filename), "xb", opener=_read_only) as file:
            file.write(archive.read(member))
    for inside, _, _ in os.walk(folder, topdown=False):
        Path(inside).chmod(0o555)
