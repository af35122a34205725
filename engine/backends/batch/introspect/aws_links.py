"""Links to AWS, one for each thing that fails by itself: credentials, S3, lease, reads of jobs, submissions.

Nothing is called for them: they are read from what the calls of the work itself met.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.aws.budget import Clock
from engine.aws.calls.call_statistics import ApiStatistics
from engine.aws.calls.operations import (
    DELETE_OBJECTS,
    DESCRIBE_JOBS,
    GET_OBJECT,
    LIST_JOBS,
    LIST_OBJECTS,
    PUT_LEASE,
    PUT_OBJECT,
    Operation,
)
from engine.aws.client import CREDENTIALS, AwsClient
from engine.aws.errors import AwsError
from engine.model import Link, LinkId, LinkTrouble

DEGRADED_AFTER_S: Final = 5.0
"""A service whose calls have all failed for this long works badly; one failure that is repeated is none."""
DOWN_AFTER_S: Final = 60.0
"""So long, and it does not work."""
SLOWED_S: Final = 1.0
"""Calls wait for this long because AWS throttled earlier ones: that is felt."""
BATCH_READS: Final = (DESCRIBE_JOBS, LIST_JOBS)
S3_CALLS: Final = (PUT_OBJECT, GET_OBJECT, LIST_OBJECTS, DELETE_OBJECTS)


class AwsLinks:
    """Reader of the links. `clock` is the client's; `wall_clock` gives seconds since the epoch."""

    def __init__(self, *, client: AwsClient, clock: Clock, wall_clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._wall_clock = wall_clock
        self._begun = clock()

    def all(self) -> tuple[Link, ...]:
        """The links as they are now."""
        return (
            self._credentials(),
            self._service(LinkId.S3, "S3", "s3", S3_CALLS),
            self._lease(),
            self._service(LinkId.BATCH, "AWS Batch reads", "batch", BATCH_READS),
            self._submits(),
        )

    @property
    def states_at(self) -> float | None:
        """When AWS Batch last answered about jobs, seconds since the epoch; None: never yet."""
        return self._epoch(_newest(self._of(BATCH_READS)))

    @property
    def states_stale(self) -> bool:
        """AWS Batch can't be asked about jobs at present, or doesn't answer."""
        batch = self._service(LinkId.BATCH, "", "batch", BATCH_READS)
        return self._client.gate.reason is not None or not batch.up or batch.degraded

    def _credentials(self) -> Link:
        expiry, reason = self._client.session.expires_at, self._client.gate.reason
        return Link(
            name="AWS credentials",
            up=reason is None,
            since=self._epoch_of(self._begun if reason is None else self._client.pauses.since),
            detail=reason or self._client.session.region,
            expires_at=None if expiry is None else expiry.timestamp(),
            id=LinkId.CREDENTIALS,
            trouble="" if reason is None else _trouble_of(self._client.refusal),
        )

    def _lease(self) -> Link:
        renewed = self._client.statistics.of(PUT_LEASE.name).succeeded_at
        held = self._client.ownership.held
        since = self._begun if held or renewed is None else renewed
        detail = "renewed" if held else "not renewed in time: nothing is changed until it is"
        heard = self._epoch(renewed)
        return Link("lease", held, self._epoch_of(since), detail, id=LinkId.LEASE, heard_at=heard)

    def _submits(self) -> Link:
        reason, pauses = self._client.pauses.reason_beside(CREDENTIALS), self._client.pauses
        since = self._epoch_of(self._begun if reason is None else pauses.since)
        return Link("submitting", reason is None, since, reason or "allowed", id=LinkId.SUBMITS)

    def _service(self, id: LinkId, name: str, service: str, calls: Sequence[Operation]) -> Link:
        heard = self._epoch(_newest(self._of(calls)))
        since, detail, is_down = self._trouble(service, calls) or (self._begun, self._client.session.region, None)
        up, degraded = not is_down, is_down is False
        return Link(name, up, self._epoch_of(since), detail, id=id, degraded=degraded, heard_at=heard)

    def _trouble(self, service: str, calls: Sequence[Operation]) -> tuple[float, str, bool] | None:
        """Since when, what, and whether nothing works at all; None while all is well."""
        silence = self._client.statistics.silence_of(service)
        if silence is not None:
            return *silence, True
        now = self._clock()
        failing = [(since, one) for one in calls if (since := self._one(one).failing_since(now)) is not None]
        since, worst = min(failing, key=lambda pair: pair[0], default=(now, calls[0]))
        if now - since >= DEGRADED_AFTER_S:
            return since, self._describe(worst), now - since >= DOWN_AFTER_S
        slowed = next((one for one in calls if self._client.bucket(one).backoff_s >= SLOWED_S), None)
        return None if slowed is None else (now, f"AWS throttles {slowed.name}", False)

    def _describe(self, operation: Operation) -> str:
        one = self._one(operation)
        return f"AWS throttles {operation.name}" if one.is_throttled else f"{operation.name} fails ({one.last_error})"

    def _one(self, operation: Operation) -> ApiStatistics:
        return self._client.statistics.of(operation.name)

    def _of(self, calls: Sequence[Operation]) -> list[ApiStatistics]:
        return [self._one(each) for each in calls]

    def _epoch(self, moment: float | None) -> float | None:
        return None if moment is None else self._epoch_of(moment)

    def _epoch_of(self, moment: float) -> float:
        """A moment of the clock as seconds since the epoch."""
        return self._wall_clock() - (self._clock() - moment)


def _trouble_of(refusal: AwsError | None) -> LinkTrouble:
    if refusal is None or not refusal.status:
        return LinkTrouble.UNREADABLE
    if refusal.wrong_clock:
        return LinkTrouble.WRONG_CLOCK
    return LinkTrouble.EXPIRED if refusal.expired else LinkTrouble.REFUSED


def _newest(calls: Sequence[ApiStatistics]) -> float | None:
    return max((one.succeeded_at for one in calls if one.succeeded_at is not None), default=None)
