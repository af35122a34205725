"""The lease: one object in S3 by which at most one living manager acts under a worker-manager id.

Written by conditional PUTs only, renewed every 3 seconds, expired 10 seconds after its last write by S3's own
clock. While it can't be renewed (S3 away, credentials expired) everything that changes something waits; when S3
answers again, our ETag still being there proves that nobody else acted meanwhile. Somebody else's write, or a
process that slept past its lease, ends the ownership for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
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
WATCH_S: Final = 1.0
"""How often a new manager looks whether the present holder still renews."""
SAFETY_S: Final = 1.5
"""We stop acting this long before others may take over: a call that was let through has to arrive, too."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The lease as S3 shows it; `age_s` by S3's clock. An unreadable holder is None."""

    holder: LeaseRecord | None
    etag: str
    age_s: float


@dataclass(slots=True, eq=False)
class Lease:
    """Take it with `acquire`, keep it with `keep` (a task), give it back with `release`."""

    caller: AwsClient
    bucket: str
    key: str
    token: str
    on_lost: Callable[[str], None]
    clock: Clock
    """Must go on while the machine sleeps."""
    sleep: Sleep = asyncio.sleep
    gone: Callable[[LeaseRecord], bool] = is_gone
    _me: LeaseRecord = field(init=False)
    _etag: str = ""
    _valid_until: float = float("-inf")
    _lost: bool = False
    _outage_reported: bool = False
    _renewed: asyncio.Event = field(default_factory=asyncio.Event)
    _inherited_age_s: float | None = None

    def __post_init__(self) -> None:
        self._me = this_process(self.token)

    @property
    def held(self) -> bool:
        """Provably ours at this moment."""
        return not self._lost and self.clock() < self._valid_until

    @property
    def last_act_s(self) -> float | None:
        """How long ago, at the least, a dead holder that was succeeded could last act; None: it gave the lease back.

        Negative when it may have acted up to a moment ago.
        """
        return None if self._inherited_age_s is None else self._inherited_age_s - (TTL_S - SAFETY_S)

    async def wait_held(self) -> None:
        """Returns when the lease is provably ours; never after it was lost."""
        while not self.held:
            self._renewed.clear()
            await self._renewed.wait()

    async def acquire(self) -> None:
        """Create it, or succeed a dead holder. Raises `StartupError` that names a living one."""
        if await self._write(IfNoneMatch="*"):
            return
        first: _Seen | None = None
        while True:
            seen = await self._read()
            if seen is not None and first is not None and seen.etag != first.etag:
                raise StartupError(self._refusal(seen.holder))
            if await self._take(seen):
                return
            first = first or seen
            await self.sleep(WATCH_S)

    async def keep(self) -> None:
        """Renews until cancelled or lost."""
        renewed_at = self.clock()
        while not self._lost:
            await self.sleep(RENEWAL_S)
            slept = self.clock() - renewed_at
            if slept > RENEWAL_S + TTL_S:
                self._lose(f"this process was suspended for {slept:.0f} s, past its lease")
                return
            await self._renew()
            renewed_at = self.clock()

    async def release(self) -> None:
        """Give it back at once, if it is still ours; otherwise it expires by itself."""
        if not self.held:
            return
        self._valid_until = float("-inf")
        try:
            await self.caller.call(DELETE_LEASE, tries=2, Bucket=self.bucket, Key=self.key)
        except AwsError as error:
            logger.warning("the lease could not be given back, it expires in %.0f s: %s", TTL_S, error)

    async def _take(self, seen: _Seen | None) -> bool:
        if seen is None:
            return await self._write(IfNoneMatch="*")
        if self._may_succeed(seen) and await self._write(IfMatch=seen.etag):
            logger.info("succeeded the previous holder of the lease")
            self._inherited_age_s = seen.age_s
            return True
        return False

    def _may_succeed(self, seen: _Seen) -> bool:
        if seen.holder is not None and self.gone(seen.holder):
            return True
        return seen.age_s > TTL_S + GRANULARITY_S

    async def _renew(self) -> None:
        try:
            if not await self._write(IfMatch=self._etag):
                await self._recognize()
        except AwsError as error:
            if error.action is ErrorAction.REFRESH_CREDENTIALS:
                self.caller.pause(error)  # often the only call of an idle manager
            elif error.action is not ErrorAction.RETRY_LATER:
                self._lose(f"the lease can't be renewed ({error})")
            if not (self.held or self._lost or self._outage_reported):
                self._outage_reported = True
                logger.warning("the lease can't be renewed, everything waits: %s", error)

    async def _recognize(self) -> None:
        """Our condition failed. The answer to an earlier renewal may have been lost: then the object is still ours."""
        seen = await self._read()
        if seen is not None and seen.holder is not None and seen.holder.token == self.token:
            self._etag = seen.etag
            return
        thief = seen.holder.describe() if seen is not None and seen.holder is not None else "nobody known"
        self._lose(f"the lease of {self.key} is held by {thief} now")

    async def _write(self, **condition: Any) -> bool:
        """False when the condition didn't hold."""
        self._me = _next_beat(self._me)
        started = self.clock()
        try:
            answer = await self.caller.call(
                PUT_LEASE,
                tries=2,
                Bucket=self.bucket,
                Key=self.key,
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

    async def _read(self) -> _Seen | None:
        try:
            return await self.caller.run(GET_LEASE, self._get, tries=2)
        except AwsError as error:
            if error.action is ErrorAction.ABSENT:
                return None
            raise

    def _get(self) -> _Seen:
        answer: dict[str, Any] = self.caller.session.client("s3").get_object(Bucket=self.bucket, Key=self.key)
        body = answer["Body"].read()
        written: datetime = answer["LastModified"]
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return _Seen(_decode(body), answer["ETag"], (now - written).total_seconds())

    def _lose(self, reason: str) -> None:
        self._lost = True
        self.on_lost(reason)

    def _refusal(self, holder: LeaseRecord | None) -> str:
        name = holder.describe() if holder is not None else "another program"
        return (
            f"worker-manager id {self.key.split('/')[-2]!r} is in use by {name}; "
            "stop that manager or give this one another --worker-manager-id"
        )


def _next_beat(holder: LeaseRecord) -> LeaseRecord:
    return msgspec.structs.replace(holder, beat=holder.beat + 1)


def _decode(body: bytes) -> LeaseRecord | None:
    try:
        return msgspec.json.decode(body, type=LeaseRecord)
    except msgspec.DecodeError:
        return None
