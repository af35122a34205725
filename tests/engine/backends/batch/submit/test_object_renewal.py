"""What living submissions read outlives S3's lifecycle rule; a bucket that deletes by age, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from container.batch_job_wire.payload_frames import Blob
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.object_renewal import DAY_S, ObjectRenewal, life_of
from engine.model import ResourceShape
from tests.support.engine.fake_clock import FakeClock

LAYOUT = StoreLayout("bucket", "prefix", "wm")
SHARED = Blob.of(bytes(300_000))
BUNDLE = "b" * 32
TOKEN = "-" + "7" * 32
RULE = {"Status": "Enabled", "Filter": {"Prefix": "prefix/"}, "Expiration": {"Days": 1}}


class ExpiringBucket:
    """Stands in for `AwsClient` and `ObjectStore`: objects are gone as soon as they are `life_s` old."""

    def __init__(self, life_s: float, rules: list[dict[str, Any]] | None) -> None:
        self.life_s = life_s
        self.rules = rules
        """None: they may not be read."""
        self.clock = FakeClock(1_700_000_000.0)
        self.written: dict[str, float] = {}
        self.puts = 0
        self.ledger = Ledger()
        me: Any = self
        self.blobs = BlobStore(client=me, layout=LAYOUT, clock=self.clock, wall_clock=self.clock)
        self.renewal = ObjectRenewal(
            client=me, store=me, ledger=self.ledger, layout=LAYOUT, blobs=self.blobs, wall_clock=self.clock
        )

    @property
    def keys(self) -> set[str]:
        return {key for key, at in self.written.items() if self.clock.now - at < self.life_s}

    async def call(self, operation: Any, *, tries: int | None = None, **arguments: Any) -> dict[str, Any]:
        match operation.name:
            case "PutObject":
                self.puts += 1
                self.written[arguments["Key"]] = self.clock.now
                return {}
            case "ListObjectsV2":
                shown = sorted(key for key in self.keys if key.startswith(arguments["Prefix"]))
                return {"Contents": [{"Key": key, "LastModified": self._moment(key)} for key in shown]}
        if self.rules is None:
            raise AwsError(operation.name, ErrorAction.REFUSED, "AccessDenied", "not allowed")
        return {"Rules": self.rules}

    async def run(self, operation: Any, work: Callable[[], bytes]) -> bytes:
        return work()

    def get(self, key: str) -> bytes:
        if key not in self.keys:
            raise AwsError("GetObject", ErrorAction.ABSENT, "NoSuchKey", "gone")
        return b"data"

    async def submit(self, submission_id: str) -> Submission:
        """A submission with a bundle and the shared blob."""
        one = Submission(submission_id, "job", (BatchTask(bytes(16), ResourceShape(), None),), ResourceShape())
        one.blobs, one.bundle = frozenset([SHARED.digest]), submission_id + TOKEN
        self.ledger.submissions[submission_id] = one
        await self.blobs.provide({SHARED.digest: SHARED})
        self.written[LAYOUT.payload(one.bundle)] = self.clock.now
        return one

    async def live(self, days: float) -> None:
        """The cleaner looks every half a minute; here it does so every ten."""
        until = self.clock.now + days * DAY_S
        while self.clock.now < until:
            self.clock.now += 600
            if self.renewal.is_due:
                await self.renewal.renew()

    def _moment(self, key: str) -> datetime:
        return datetime.fromtimestamp(self.written[key], UTC)


@pytest.mark.parametrize(("days", "rules"), [(1, [RULE]), (1, None), (3, [{**RULE, "Expiration": {"Days": 3}}])])
async def test_what_a_submission_reads_outlives_the_rule_and_is_renewed_before_half_of_its_life(
    days: int, rules: list[dict[str, Any]] | None
) -> None:
    bucket = ExpiringBucket(days * DAY_S / 2, rules)
    await bucket.submit(BUNDLE)
    await bucket.live(5 * days)
    assert bucket.keys == {LAYOUT.payload(BUNDLE + TOKEN), LAYOUT.blob(SHARED.digest)}
    assert bucket.puts <= 1 + 2 * 13


async def test_without_a_rule_nothing_is_written_again() -> None:
    bucket = ExpiringBucket(float("inf"), [])
    await bucket.submit(BUNDLE)
    await bucket.live(5)
    assert bucket.puts == 1


async def test_what_nothing_living_needs_is_left_to_its_end() -> None:
    bucket = ExpiringBucket(DAY_S, [RULE])
    one = await bucket.submit(BUNDLE)
    other = await bucket.submit("c" * 32)
    bucket.ledger.drop(one)
    bucket.blobs.release(one.blobs)
    bucket.blobs.release(other.blobs)
    await bucket.live(2)
    assert bucket.keys == {LAYOUT.payload("c" * 32 + TOKEN)}


async def test_a_predecessors_blobs_are_renewed_while_its_submissions_live() -> None:
    bucket = ExpiringBucket(DAY_S, [RULE])
    await bucket.submit(BUNDLE)
    bucket.written[LAYOUT.blob("d" * 64)] = bucket.clock.now
    await bucket.live(3)
    assert LAYOUT.blob("d" * 64) in bucket.keys


async def test_a_blob_that_idles_here_is_renewed_for_a_predecessors_job() -> None:
    bucket = ExpiringBucket(DAY_S, [RULE])
    adopted = await bucket.submit(BUNDLE)
    adopted.secret = b"as its frame tells"
    bucket.blobs.release(adopted.blobs)
    await bucket.live(3)
    assert LAYOUT.blob(SHARED.digest) in bucket.keys


async def test_a_result_is_renewed_until_the_scheduler_has_it() -> None:
    bucket = ExpiringBucket(DAY_S, [RULE])
    one = await bucket.submit(BUNDLE)
    task = one.tasks[0]
    task.submission, task.stage = one, BatchStage.ORPHANED
    key = LAYOUT.result(BUNDLE, task.task_id)
    bucket.written[key] = bucket.clock.now
    one.found.add(task.task_id)
    await bucket.live(3)
    assert key in bucket.keys
    task.stage = BatchStage.FORGOTTEN
    await bucket.live(2)
    assert key not in bucket.keys


async def test_an_upload_that_is_old_is_not_trusted_but_made_again() -> None:
    bucket = ExpiringBucket(DAY_S, [RULE])
    await bucket.submit(BUNDLE)
    bucket.clock.now += 0.4 * DAY_S
    await bucket.submit("c" * 32)
    assert bucket.puts == 1
    bucket.clock.now += 0.2 * DAY_S
    await bucket.submit("d" * 32)
    assert (bucket.puts, LAYOUT.blob(SHARED.digest) in bucket.keys) == (2, True)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (RULE, 1.0),
        ({**RULE, "Status": "Disabled"}, float("inf")),
        ({**RULE, "Filter": {"Prefix": ""}}, 1.0),
        ({**RULE, "Filter": {"Prefix": "prefix/wm/objects/"}}, 1.0),
        ({**RULE, "Filter": {"Prefix": "prefix/wm_gpu/"}}, float("inf")),
        ({**RULE, "Filter": {"Tag": {"Key": "a", "Value": "b"}}}, float("inf")),
        ({**RULE, "Filter": {"And": {"Prefix": "prefix/", "ObjectSizeGreaterThan": 5}}}, 1.0),
        ({"Status": "Enabled", "Prefix": "prefix/", "Expiration": {"Days": 2}}, 2.0),
        ({"Status": "Enabled", "Filter": {}, "Transitions": []}, float("inf")),
    ],
)
def test_a_rule_counts_when_it_deletes_what_lies_below_the_managers_prefix(rule: dict[str, Any], days: float) -> None:
    assert life_of([rule], "prefix/wm/") == days * DAY_S
