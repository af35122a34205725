"""Renewal of what living submissions need: blobs, bundles and results are written again before half of their life.

The bucket's lifecycle rule deletes by age, whoever still refers to an object: a job that waits for days, a blob that
every submission shares, a predecessor's result whose task waits behind a long backlog. Ages
are S3's own (`LastModified`), so a predecessor's objects are renewed alike.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final

from container.batch_job_wire.protocol import OBJECTS, PAYLOADS, RESULTS, bundle_owner
from engine.aws.budget import Clock
from engine.aws.calls.operations import GET_OBJECT, LIST_ANSWER_S, LIST_OBJECTS, PUT_OBJECT, Operation
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.object_store import ObjectStore
from engine.backends.batch.ledger import Ledger
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import BlobStore

logger = logging.getLogger(__name__)

GET_LIFECYCLE: Final = Operation(
    "GetBucketLifecycleConfiguration",
    "s3",
    "get_bucket_lifecycle_configuration",
    rate=1,
    burst=2,
    answer_s=LIST_ANSWER_S,
)
DAY_S: Final = 86_400.0
ASSUMED_LIFE_S: Final = DAY_S
"""Of objects in a bucket whose rules may not be read: the provisioner's default."""
CHECKS_A_LIFE: Final = 16
"""So often ages are looked at; a renewal that fails has several more chances before the end."""


class ObjectRenewal:
    """Renews when `is_due`. `wall_clock` gives seconds since the epoch."""

    def __init__(
        self,
        *,
        client: AwsClient,
        store: ObjectStore,
        ledger: Ledger,
        layout: StoreLayout,
        blobs: BlobStore,
        wall_clock: Clock,
    ) -> None:
        self._client = client
        self._store = store
        self._ledger = ledger
        self._layout = layout
        self._blobs = blobs
        self._wall_clock = wall_clock
        self._life_s = ASSUMED_LIFE_S
        self._is_renewing = False
        self._checked_at = float("-inf")

    @property
    def is_due(self) -> bool:
        """It is time to look at the objects' ages again."""
        return not self._is_renewing and self._wall_clock() - self._checked_at >= self._period_s

    async def renew(self) -> None:
        """Write again what would be older than half of its life at the next look. What fails is logged."""
        self._is_renewing, self._checked_at = True, self._wall_clock()
        try:
            await self._read_life()
            if self._ledger.submissions:
                await self._renew_folder(PAYLOADS, lambda key: bundle_owner(_name(key)) in self._ledger.submissions)
                await self._renew_folder(OBJECTS, self._is_blob_needed)
                await self._renew_results()
        except AwsError as error:
            logger.warning("objects in S3 can't be renewed at present: %s", error)
        finally:
            self._is_renewing = False

    @property
    def _period_s(self) -> float:
        return self._life_s / CHECKS_A_LIFE

    async def _read_life(self) -> None:
        """Without a rule nothing expires; rules that may not be read are taken for the provisioner's default."""
        try:
            answer = await self._client.call(GET_LIFECYCLE, tries=2, Bucket=self._layout.bucket)
        except AwsError as error:
            self._life_s = float("inf") if error.code == "NoSuchLifecycleConfiguration" else ASSUMED_LIFE_S
        else:
            self._life_s = life_of(answer.get("Rules", ()), f"{self._layout.root}/")
        self._blobs.trusted_s = self._life_s / 2

    async def _renew_folder(self, folder: str, is_needed: Callable[[str], bool]) -> None:
        limit = self._wall_clock() - self._life_s / 2 + self._period_s
        renewed = 0
        async for key, written_at in self._keys(f"{self._layout.root}/{folder}/"):
            if written_at <= limit and is_needed(key) and await self._rewrite(key):
                renewed += 1
                if folder == OBJECTS:
                    self._blobs.note_renewal(_name(key))
        if renewed:
            logger.info("wrote %d objects below %s/ again, which S3 would have deleted for their age", renewed, folder)

    def _is_blob_needed(self, key: str) -> bool:
        """Any may be while a predecessor's job is there: it doesn't tell which."""
        is_any = any(one.is_restored for one in self._ledger.submissions.values())
        return is_any or self._blobs.may_be_needed(_name(key))

    async def _renew_results(self) -> None:
        """Of those that the scheduler does not have for certain: not claimed, not delivered, or not confirmed yet."""
        submissions = self._ledger.submissions
        wanted = {one.submission_id: one.wanted_results() for one in submissions.values()}

        def is_wanted(key: str) -> bool:
            submission_id, name = self._layout.parse_result(key) or ("", b"")
            submission = submissions.get(submission_id)
            if submission is None:
                return False
            ids = (name,) if isinstance(name, bytes) else submission.segments.get(name, ())
            return any(one in wanted.get(submission_id, ()) and one not in submission.removed for one in ids)

        await self._renew_folder(RESULTS, is_wanted)

    async def _rewrite(self, key: str) -> bool:
        try:
            data = await self._client.run(GET_OBJECT, lambda: self._store.get(key))
        except AwsError as error:
            if error.action is not ErrorAction.ABSENT:
                raise
            return False  # deleted meanwhile, by us or for its age
        await self._client.call(PUT_OBJECT, Bucket=self._layout.bucket, Key=key, Body=data)
        return True

    async def _keys(self, prefix: str) -> AsyncIterator[tuple[str, float]]:
        """Keys with the time at which they were written, seconds since the epoch."""
        more: dict[str, Any] = {}
        while True:
            answer = await self._client.call(LIST_OBJECTS, Bucket=self._layout.bucket, Prefix=prefix, **more)
            for one in answer.get("Contents", ()):
                yield one["Key"], one["LastModified"].timestamp()
            if not answer.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def life_of(rules: Iterable[Mapping[str, Any]], root: str) -> float:
    """Seconds that objects without tags below `root` live at least by these lifecycle rules; infinite without one."""
    lives = [
        rule["Expiration"]["Days"] * DAY_S
        for rule in rules
        if rule.get("Status") == "Enabled" and rule.get("Expiration", {}).get("Days") and _concerns(rule, root)
    ]
    return min(lives, default=float("inf"))


def _concerns(rule: Mapping[str, Any], root: str) -> bool:
    filtered: Mapping[str, Any] = rule.get("Filter") or {}
    joined: Mapping[str, Any] = filtered.get("And") or filtered
    if joined.get("Tag") or joined.get("Tags"):
        return False
    prefix: str = joined.get("Prefix") or rule.get("Prefix") or ""
    return root.startswith(prefix) or prefix.startswith(root)
