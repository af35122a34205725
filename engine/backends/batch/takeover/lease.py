"""Lease in S3: one object by which at most one living manager acts under a worker-manager id.

Written by conditional PUTs only, renewed every 3 seconds, expired 10 seconds after its last write by S3's own
clock. While it can't be renewed (S3 away, credentials expired) everything that changes something waits; when S3
answers again, our ETag still being there proves that nobody else acted meanwhile. Somebody else's write, or a
process that slept past its lease, ends the ownership for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from engine.aws.budget import Clock, Sleep
from engine.aws.client import DELETE_LEASE, GET_LEASE, PUT_LEASE, AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.takeover.lease_record import LeaseRecord, is_gone, this_process
from engine.errors import StartupError

logger = logging.getLogger(__name__)

RENEWAL_S: Final = 3.0
TTL_S: Final = 10.0
GRANULARITY_S: Final = 1.0
"""LastModified and Date are whole seconds."""
WATCH_HOLDER_S: Final = 1.0
"""How often a new manager checks whether the present holder still renews."""
SAFETY_S: Final = 3.0
"""We stop acting this long before others may take over: a call that was let through has to arrive, too."""


@dataclass(frozen=True, slots=True)
class _LeaseObject:
    """The lease as S3 shows it; `age_s` by S3's clock. An unreadable holder is None."""

    holder: LeaseRecord | None
    etag: str
    age_s: float


class Lease:
    """Take it with `acquire`, keep it with `keep` (a task), give it back with `release`.

    `clock` must go on while the machine sleeps; `token` is this process's own.
    """

    def __init__(
        self,
        *,
        client: AwsClient,
        bucket: str,
        key: str,
        token: str,
        on_lost: Callable[[str], None],
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        is_gone: Callable[[LeaseRecord], bool] = is_gone,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._token = token
        self._on_lost = on_lost
        self._clock = clock
        self._sleep = sleep
        self._is_gone = is_gone
        self._me = this_process(token)
        self._etag = ""
        self._valid_until = float("-inf")
        self._lost = False
        self._outage_reported = False
        self._renewed = asyncio.Event()
        self._inherited_age_s: float | None = None

    @property
    def held(self) -> bool:
        """Provably ours at this moment."""
        return not self._lost and self._clock() < self._valid_until

    @property
    def last_act_s(self) -> float | None:
        """Seconds since a dead holder that was succeeded could last act, at the least; None: it gave the lease back.

        Negative when it may have acted up to a moment ago.
        """
        return None if self._inherited_age_s is None else self._inherited_age_s - (TTL_S - SAFETY_S)

    async def wait_held(self) -> None:
        """Return when the lease is provably ours; never after it was lost."""
        while not self.held:
            self._renewed.clear()
            await self._renewed.wait()

    async def acquire(self) -> None:
        """Create it, or succeed a dead holder. Raises `StartupError` that names a living one."""
        if await self._write(IfNoneMatch="*"):
            return
        first: _LeaseObject | None = None
        while True:
            found = await self._read()
            if found is not None and first is not None and found.etag != first.etag:
                raise StartupError(self._refusal(found.holder))
            if await self._take(found):
                return
            first = first or found
            await self._sleep(WATCH_HOLDER_S)

    async def keep(self) -> None:
        """Renew every `RENEWAL_S` until cancelled or lost."""
        renewed_at = self._clock()
        while not self._lost:
            await self._sleep(RENEWAL_S)
            slept = self._clock() - renewed_at
            if slept > RENEWAL_S + TTL_S:
                self._lose(f"this process was suspended for {slept:.0f} s, past its lease")
                return
            await self._renew()
            renewed_at = self._clock()

    async def release(self) -> None:
        """Give it back at once, if it is still ours; otherwise it expires by itself."""
        if not self.held:
            return
        self._valid_until = float("-inf")
        try:
            await self._client.call(DELETE_LEASE, tries=2, Bucket=self._bucket, Key=self._key)
        except AwsError as error:
            logger.warning("the lease could not be given back, it expires in %.0f s: %s", TTL_S, error)

    async def _take(self, found: _LeaseObject | None) -> bool:
        if found is None:
            return await self._write(IfNoneMatch="*")
        if self._may_succeed(found) and await self._write(IfMatch=found.etag):
            logger.info("succeeded the previous holder of the lease")
            self._inherited_age_s = found.age_s
            return True
        return False

    def _may_succeed(self, found: _LeaseObject) -> bool:
        if found.holder is not None and self._is_gone(found.holder):
            return True
        return found.age_s > TTL_S + GRANULARITY_S

    async def _renew(self) -> None:
        try:
            if not await self._write(IfMatch=self._etag):
                await self._recognize()
        except AwsError as error:
            if error.action is ErrorAction.REFRESH_CREDENTIALS:
                self._client.pause(error)  # often the only call of an idle manager
            elif error.action is not ErrorAction.RETRY_LATER:
                self._lose(f"the lease can't be renewed ({error})")
            if not (self.held or self._lost or self._outage_reported):
                self._outage_reported = True
                logger.warning("the lease can't be renewed, everything waits: %s", error)

    async def _recognize(self) -> None:
        """Our condition failed. The answer to an earlier renewal may have been lost: then the object is still ours."""
        found = await self._read()
        if found is not None and found.holder is not None and found.holder.token == self._token:
            self._etag = found.etag
            return
        thief = found.holder.describe() if found is not None and found.holder is not None else "nobody known"
        self._lose(f"the lease of {self._key} is held by {thief} now")

    async def _write(self, **condition: Any) -> bool:
        """False when the condition didn't hold."""
        self._me = _next_beat(self._me)
        started = self._clock()
        try:
            answer = await self._client.call(
                PUT_LEASE,
                tries=2,
                Bucket=self._bucket,
                Key=self._key,
                Body=msgspec.json.encode(self._me),
                ContentType="application/json",
                **condition,
            )
        except AwsError as error:
            if error.action in (ErrorAction.CONFLICT, ErrorAction.ABSENT):
                return False
            raise
        self._etag = answer["ETag"]
        self._valid_until = started + TTL_S - SAFETY_S
        self._renewed.set()
        if self._outage_reported:
            self._outage_reported = False
            logger.info("the lease is renewed again, work goes on")
        return True

    async def _read(self) -> _LeaseObject | None:
        try:
            return await self._client.run(GET_LEASE, self._get, tries=2)
        except AwsError as error:
            if error.action is ErrorAction.ABSENT:
                return None
            raise

    def _get(self) -> _LeaseObject:
        answer: dict[str, Any] = self._client.session.client("s3").get_object(Bucket=self._bucket, Key=self._key)
        body = answer["Body"].read()
        written: datetime = answer["LastModified"]
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return _LeaseObject(_decode(body), answer["ETag"], (now - written).total_seconds())

    def _lose(self, reason: str) -> None:
        self._lost = True
        self._on_lost(reason)

    def _refusal(self, holder: LeaseRecord | None) -> str:
        name = holder.describe() if holder is not None else "another program"
        return (
            f"worker-manager id {self._key.split('/')[-2]!r} is in use by {name}; "
            "stop that manager or give this one another --worker-manager-id"
        )


def _next_beat(holder: LeaseRecord) -> LeaseRecord:
    return msgspec.structs.replace(holder, beat=holder.beat + 1)


def _decode(body: bytes) -> LeaseRecord | None:
    try:
        return msgspec.json.decode(body, type=LeaseRecord)
    except msgspec.DecodeError:
        return None
