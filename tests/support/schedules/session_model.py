"""Model of one engine's access to AWS: its sessions, clients and store, with throttling, outages and lost answers."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ReadTimeoutError

from engine.aws.object_store import Listed, ListPage, ReadPart
from tests.support.schedules.batch_model import Batch
from tests.support.schedules.bucket_model import Bucket, refused

T = TypeVar("T")


class ModelStore:
    """`ObjectStore` on the bucket, for one engine."""

    def __init__(self, session: ModelSession) -> None:
        self.bucket = "bucket"
        self._session = session

    def get(self, key: str) -> bytes:
        data: bytes = self._session.client("s3").get_object(Bucket="bucket", Key=key)["Body"].read()
        return data

    def read(self, key: str, parse: Callable[[ReadPart], T]) -> T:
        return parse(io.BytesIO(self.get(key)).read)

    def list_page(self, prefix: str, start_after: str = "", token: str | None = None) -> ListPage:
        objects: dict[str, tuple[bytes, str, float]] = self._session.call(
            "ListObjectsV2", lambda: self._session.bucket.objects
        )
        keys = sorted(key for key in objects if key.startswith(prefix) and key > start_after)
        return ListPage(tuple(Listed(key, len(objects[key][0]), objects[key][1]) for key in keys), None)

    def close(self) -> None: ...


@dataclass
class Troubles:
    """Faults of calls: windows of virtual time in which an operation is throttled, and shares of lost answers."""

    throttled: list[tuple[float, float]] = field(default_factory=list)
    down: list[tuple[float, float]] = field(default_factory=list)
    lost_answers: float = 0.0


class ModelSession:
    """`AwsSession` of one engine; once `dead`, nothing that it sends arrives anywhere."""

    region = "us-east-1"
    generation = 0
    expires_at = None

    def __init__(
        self, loop: asyncio.AbstractEventLoop, rng: random.Random, bucket: Bucket, batch: Batch, troubles: Troubles
    ) -> None:
        self._loop = loop
        self._rng = rng
        self.bucket = bucket
        self._batch = batch
        self._troubles = troubles
        self.dead = False
        self.check_send: Callable[[], None] = lambda: None

    def client(self, service: str, read_timeout_s: float | None = None) -> Any:
        return _Client(self, self.bucket if service == "s3" else self._batch)

    def call(self, operation: str, work: Callable[[], Any]) -> Any:
        """Make a call with the troubles of the moment."""
        now = self._loop.time()
        self.check_send()
        api = "".join(part.capitalize() for part in operation.split("_")) if "_" in operation else operation
        if self.dead:
            raise refused(api, "ServiceUnavailable", 503)
        if any(start <= now < end for start, end in self._troubles.down):
            raise refused(api, "ServiceUnavailable", 503)
        if operation == "submit_job" and any(start <= now < end for start, end in self._troubles.throttled):
            raise refused(api, "TooManyRequestsException", 429)
        if self._rng.random() < self._troubles.lost_answers:
            if self._rng.random() < 0.5:
                work()
            raise ReadTimeoutError(endpoint_url="model")
        return work()

    def renew(self) -> None: ...

    def close(self) -> None: ...

    def credentials(self) -> None: ...


class _Client:
    """boto3's client of one service."""

    def __init__(self, session: ModelSession, target: object) -> None:
        self._session = session
        self._target = target

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        method = getattr(self._target, operation)
        return lambda **arguments: self._session.call(operation, lambda: method(**arguments))
