"""Lease in S3: one object by which at most one living manager acts under a worker-manager id.

Written by conditional PUTs only, renewed every 3 seconds, expired 10 seconds after its last write by S3's own
clock. A manager that had nothing to do for a minute says in the object that its lease lasts for a minute, and renews
every 20 seconds: each PUT costs, and a versioned bucket keeps it.

While it can't be renewed (S3 away, credentials expired, this process suspended) everything that changes something
waits; when S3 answers again, our ETag still being there proves that nobody else acted meanwhile. Only somebody else's
write ends the ownership for good.
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
from engine.aws.calls.operations import DELETE_LEASE, GET_LEASE, PUT_LEASE
from engine.aws.calls.pauses import REFUSAL_PATIENCE_S, describe_refusal
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction, MalformedAnswer
from engine.aws.session import CONNECT_TIMEOUT_S
from engine.backends.batch.submission_secrets import KEY_BYTES, new_signing_key
from engine.backends.batch.takeover.lease_record import IDLE_TTL_S, TTL_S, LeaseRecord, is_gone, this_process
from engine.errors import StartupError

logger = logging.getLogger(__name__)

UNVERSIONED: Final = "null"
"""S3's version of an object while versioning is suspended."""
RENEWAL_S: Final = 3.0
IDLE_RENEWAL_S: Final = 20.0
IDLE_AFTER_S: Final = 60.0
"""How long nothing must have been there to do before the lease is renewed rarely."""
RETRY_S: Final = 0.5
"""Pause after a renewal that failed while the lease can still be kept."""
RENEWAL_BOUND_S: Final = 5.0
"""A renewal is given up then and made anew, whatever keeps it; two tries fit in."""
GRANULARITY_S: Final = 1.0
"""LastModified and Date are whole seconds."""
WATCH_HOLDER_S: Final = 1.0
"""How often a new manager checks whether the present holder still renews."""
SAFETY_S: Final = CONNECT_TIMEOUT_S + 1.0
"""We stop acting this long before others may take over: a call that was let through has to connect and arrive, too."""


@dataclass(frozen=True, slots=True)
class _LeaseObject:
    """The lease as S3 shows it; `age_s` by S3's clock. An unreadable holder is None."""

    holder: LeaseRecord | None
    etag: str
    age_s: float

    @property
    def lasts_s(self) -> float:
        """Seconds from its last write on in which nobody else may take it."""
        return TTL_S if self.holder is None else self.holder.lasts_s

    @property
    def is_released(self) -> bool:
        """Anybody may take it at once."""
        return self.holder is not None and self.holder.is_released


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
        self.is_idle: Callable[[], bool] = lambda: False
        """Tells whether there is nothing to do, and so nothing that a successor would wait for."""
        self.is_versioned = False
        """The bucket keeps every renewal, as the answers to our writes show."""
        self._me = msgspec.structs.replace(this_process(token), signing_key=new_signing_key())
        self._etag = ""
        self._written_at = float("-inf")
        self._valid_until = float("-inf")
        self._lost = False
        self._is_failing = False
        self._outage_reported = False
        self._refused_at: float | None = None
        self._busy_at = clock()
        self._renewed = asyncio.Event()
        self._inherited_s: float | None = None

    @property
    def held(self) -> bool:
        """Provably ours at this moment."""
        return not self._lost and self._clock() < self._valid_until

    @property
    def last_act_s(self) -> float | None:
        """Seconds since the holder that was succeeded could last act, at the least; None: there was none.

        Negative when it may have acted up to a moment ago.
        """
        return self._inherited_s

    @property
    def signing_key(self) -> bytes:
        """Key of all signatures of results, inherited from who held the lease before."""
        return self._me.signing_key

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
            if found is not None and first is not None and found.etag != first.etag and not self._is_mine(found):
                raise StartupError(self._refusal(found.holder))
            if await self._take(found):
                return
            first = first or found
            await self._sleep(WATCH_HOLDER_S)

    async def keep(self) -> None:
        """Renew until cancelled or lost."""
        while not self._lost:
            await self._sleep(RETRY_S if self._is_failing and self.held else RENEWAL_S)
            if self._is_due():
                await self._renew()

    async def release(self, *, keep_key: bool = False) -> None:
        """Give it back at once, if it is still ours; otherwise it expires by itself.

        With `keep_key` it stays, for anybody to take: a successor needs the signing key for what our jobs write.
        """
        if not self.held:
            return
        self._valid_until = float("-inf")
        self._me = msgspec.structs.replace(self._me, is_released=True)
        try:
            if keep_key:
                await self._rewrite()
            else:
                await self._client.call(DELETE_LEASE, tries=2, Bucket=self._bucket, Key=self._key)
        except AwsError as error:
            logger.warning("the lease could not be given back, it expires in %.0f s: %s", self._me.lasts_s, error)
        finally:
            self._valid_until = float("-inf")

    async def _take(self, found: _LeaseObject | None) -> bool:
        if found is None:
            return await self._write(IfNoneMatch="*")
        if not self._may_succeed(found):
            return False
        if found.holder is not None and len(found.holder.signing_key) == KEY_BYTES:
            self._me = msgspec.structs.replace(self._me, signing_key=found.holder.signing_key)
        if not await self._write(IfMatch=found.etag):
            return False
        if found.is_released:  # with jobs running, of which the last may not be listed yet
            self._inherited_s = found.age_s - GRANULARITY_S
        else:
            logger.info("succeeded the previous holder of the lease")
            self._inherited_s = found.age_s - (found.lasts_s - SAFETY_S)
        return True

    def _is_mine(self, found: _LeaseObject) -> bool:
        return found.holder is not None and found.holder.token == self._token

    def _may_succeed(self, found: _LeaseObject) -> bool:
        if found.is_released or self._is_mine(found) or (found.holder is not None and self._is_gone(found.holder)):
            return True
        return found.age_s > found.lasts_s + GRANULARITY_S

    def _is_due(self) -> bool:
        now = self._clock()
        if not self.is_idle():
            self._busy_at = now
        is_rare = now - self._busy_at >= IDLE_AFTER_S
        changes = is_rare != (self._me.ttl_s > TTL_S)
        self._me = msgspec.structs.replace(self._me, ttl_s=IDLE_TTL_S if is_rare else TTL_S)
        return changes or self._is_failing or not is_rare or now - self._written_at >= IDLE_RENEWAL_S - RENEWAL_S

    async def _renew(self) -> None:
        self._is_failing = True
        try:
            async with asyncio.timeout(RENEWAL_BOUND_S):
                self._is_failing = not (await self._rewrite() or (await self._recognize() and await self._rewrite()))
        except TimeoutError:
            self._report_outage(f"S3 did not answer within {RENEWAL_BOUND_S:.0f} s")
        except AwsError as error:
            self._judge(error)
            self._report_outage(str(error))

    async def _rewrite(self) -> bool:
        return await self._write(**({"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}))

    def _judge(self, error: AwsError) -> None:
        """Decide what a renewal that failed means."""
        if error.action is ErrorAction.REFRESH_CREDENTIALS:
            self._client.pause(error)  # often the only call of an idle manager
        elif error.action is ErrorAction.RETRY_LATER:
            return
        elif self._may_pass():
            self._client.pauses.begin(self, describe_refusal(error))
        else:
            self._lose(f"the lease can't be renewed ({error})")

    def _may_pass(self) -> bool:
        """A refusal is final after a while only: the lease was written before."""
        if self._refused_at is None:
            self._refused_at = self._clock()
        return self._clock() - self._refused_at < REFUSAL_PATIENCE_S

    def _report_outage(self, reason: str) -> None:
        if not (self.held or self._lost or self._outage_reported):
            self._outage_reported = True
            logger.warning("the lease can't be renewed, everything waits: %s", reason)

    async def _recognize(self) -> bool:
        """Our condition failed: is the object still ours? The answer to an earlier renewal may have been lost.

        An object that is gone was deleted by hand when nobody could have taken the lease.
        """
        found = await self._read()
        if found is not None and self._is_mine(found):
            self._etag = found.etag
            return True
        if found is None and self._clock() < self._valid_until + SAFETY_S:
            self._etag = ""
            return True
        thief = found.holder.describe() if found is not None and found.holder is not None else "nobody known"
        self._lose(f"the lease of {self._key} is held by {thief} now")
        return False

    async def _write(self, **condition: Any) -> bool:
        """False when the condition didn't hold."""
        self._me = _next_beat(self._me)
        lasts_s = self._me.ttl_s
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
        self.is_versioned = answer.get("VersionId", UNVERSIONED) != UNVERSIONED
        self._note_written(started, lasts_s)
        return True

    def _note_written(self, started: float, lasts_s: float) -> None:
        away_s = started - self._valid_until
        self._written_at, self._valid_until = started, started + lasts_s - SAFETY_S
        self._refused_at = None
        self._client.pauses.end(self)
        self._renewed.set()
        if self._outage_reported:
            self._outage_reported = False
            logger.info("the lease is renewed again, work goes on")
        elif 0 < away_s < float("inf"):
            logger.info("the lease was renewed %.0f s too late; nobody took it, work goes on", away_s)

    async def _read(self) -> _LeaseObject | None:
        try:
            return await self._client.run(GET_LEASE, self._get, tries=2)
        except AwsError as error:
            if error.action is ErrorAction.ABSENT:
                return None
            raise

    def _get(self) -> _LeaseObject:
        answer = self._client.call_now(GET_LEASE, Bucket=self._bucket, Key=self._key)
        body = answer["Body"].read()
        written: datetime = answer["LastModified"]
        now = _server_time(answer)
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


def _server_time(answer: dict[str, Any]) -> datetime:
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError) as error:
        raise MalformedAnswer("without a date") from error


def _next_beat(holder: LeaseRecord) -> LeaseRecord:
    return msgspec.structs.replace(holder, beat=holder.beat + 1)


def _decode(body: bytes) -> LeaseRecord | None:
    try:
        return msgspec.json.decode(body, type=LeaseRecord)
    except msgspec.DecodeError:
        return None
