"""Tracker: the one loop that follows everything in flight.

Listing the results finds everything that finished, singles and children alike, whatever their number. Batch is
asked less often, for what a listing can't show: states, and jobs that ended without a result. Batch is always
asked before the listing, so that a job that had ended and a listing without its result prove a silent end.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from container.batch_job_wire.result_segments import ResultSegment
from engine.aws import limits
from engine.aws.budget import Clock
from engine.aws.calls.operations import LIST_OBJECTS
from engine.aws.client import AwsClient
from engine.aws.object_store import Listed, ListPage, ObjectStore
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failures.failure_handler import FailureHandler
from engine.backends.batch.track.job_poller import JobPoll, JobPoller
from engine.backends.batch.track.results import ResultReader, ResultRequest, SegmentPart

logger = logging.getLogger(__name__)

LIST_SOON_S: Final = 0.1
LIST_LATE_S: Final = 2.0
LIST_GROWTH: Final = 1.25
LIST_PER_TASK_S: Final = 0.002
LIST_CROWDED_S: Final = 1.0
"""With hundreds in flight a listing costs more and each result matters less: from 500 tasks on, one a second."""
LIST_PACKED_S: Final = 0.3
"""The same with packed jobs: theirs are few objects, and the slot of one stays empty until its last one is seen."""
LIST_PER_KEY_S: Final = 0.0005
"""What a key in the last listing costs, whose reading is more work than the call: up to `LIST_CROWDED_S` in all."""
LIST_SHARE: Final = 4
"""However long a listing takes, at least this many times as long passes before the next."""
BATCH_SOON_S: Final = 1.0
BATCH_LATE_S: Final = 5.0
BATCH_GROWTH: Final = 1.5
STREAMED_LATE_S: Final = 2.0
"""While a client has output streamed, which is followed once its job is seen to run."""
CANCEL_SOON_S: Final = 0.06
CANCEL_LATE_S: Final = 0.25
CANCEL_GROWTH: Final = 1.6
"""Between polls of Batch while a cancel waits for the end of its job, for each hundred jobs in flight.

A client that leaves cancels one task after the other, each when the one before is confirmed.
"""


class Cadence:
    """Time between two polls in seconds: short after something happened, then growing up to `late_s`."""

    def __init__(self, soon_s: float, late_s: float, growth: float) -> None:
        self._soon_s = soon_s
        self._late_s = late_s
        self._growth = growth
        self._interval_s = soon_s
        self._rests_until = float("-inf")
        self.due = float("-inf")
        """When to poll next, by the clock that `now` is of."""

    def hurry(self, now: float, within_s: float = float("inf")) -> None:
        """Poll soon, in `within_s` at the latest once the last poll's rest is over, and often again."""
        self._interval_s = self._soon_s
        self.due = min(self.due, max(now + min(self._soon_s, within_s), self._rests_until))

    def expect(self, now: float, within_s: float) -> None:
        """Poll within this time, and no more often after that."""
        self.due = min(self.due, now + within_s)

    def polled(self, now: float, at_least_s: float = 0.0, rest_s: float = 0.0) -> None:
        """A poll is done: the next is due an interval later, which grows. Nothing makes it due within the rest."""
        self._rests_until = now + rest_s
        self.due = now + max(self._interval_s, at_least_s, rest_s)
        self._interval_s = min(self._late_s, self._interval_s * self._growth)


class Tracker:
    """Runs until cancelled; does nothing at all while nothing is in flight."""

    def __init__(
        self,
        *,
        client: AwsClient,
        store: ObjectStore,
        layout: StoreLayout,
        ledger: Ledger,
        secrets: SubmissionSecrets,
        poller: JobPoller,
        results: ResultReader,
        failures: FailureHandler,
        cleaner: ObjectCleaner,
        on_round: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._store = store
        self._layout = layout
        self._ledger = ledger
        self._secrets = secrets
        self._poller = poller
        self._results = results
        self._failures = failures
        self._cleaner = cleaner
        self._on_round = on_round
        self._clock = clock
        self._listing = Cadence(LIST_SOON_S, LIST_LATE_S, LIST_GROWTH)
        self._batch = Cadence(BATCH_SOON_S, BATCH_LATE_S, BATCH_GROWTH)
        self._cancel_pause_s = CANCEL_SOON_S

    async def run(self) -> None:
        """Do one round after the other, each when it is due. Raises `AwsError`."""
        while True:
            await self._wait()
            await self.do_round()

    async def do_round(self) -> None:
        """Poll Batch when it is due, then list the results, then act on both."""
        self._ledger.open_claimed()
        polls: list[JobPoll] = []
        if self._clock() >= self._batch.due:
            polls = await self._poller.poll()
            self._batch.polled(self._clock())
            if self._ledger.streaming:
                self._batch.expect(self._clock(), STREAMED_LATE_S)
            self._hurry_for_cancels()
            self._cancel_pause_s = min(CANCEL_LATE_S, self._cancel_pause_s * CANCEL_GROWTH)
        await self._list_results()
        for poll in polls:
            await self._poller.judge(poll)
        self._review()
        self._on_round()
        if polls:
            self._cleaner.wake()

    def _review(self) -> None:
        """What breaks in it is one task's: the others are looked at in the next round."""
        try:
            self._failures.review()
        except Exception:
            logger.exception("a task whose result is missing can't be judged")

    async def _wait(self) -> None:
        """Until a poll is due, or something happened."""
        while not self._ledger.submissions:
            await self._next_change(None)
        while (delay := min(self._listing.due, self._batch.due) - self._clock()) > 0:
            await self._next_change(delay)

    async def _next_change(self, seconds: float | None) -> None:
        try:
            # not wait_for: before Python 3.12 it swallows a cancel that comes together with the change
            async with asyncio.timeout(seconds):
                await self._ledger.changed.wait()
        except TimeoutError:
            return
        self._ledger.changed.clear()
        now = self._clock()
        self._listing.hurry(now)
        self._batch.hurry(now)
        self._cancel_pause_s = CANCEL_SOON_S
        self._hurry_for_cancels()

    async def _list_results(self) -> None:
        """Whatever is new among the results of submissions in flight."""
        listed, self._ledger.next_listing = self._ledger.next_listing, asyncio.Event()
        try:
            await self._list_submissions()
        finally:
            listed.set()

    async def _list_submissions(self) -> None:
        if not self._ledger.submissions:
            return
        started = self._clock()
        found = keys = 0
        known = sorted(self._ledger.submissions)
        following, token = known[0], None
        while following:
            page = await self._client.run(LIST_OBJECTS, self._page_reader(self._layout.results + following, token))
            found += self._take(page)
            keys += len(page.objects)
            following, token = self._next_place(page, known, following)
        now = self._clock()
        if found:
            self._listing.hurry(now)
        is_packed = any(one.is_packed for one in self._ledger.submissions.values())
        crowded = min(LIST_PER_TASK_S * len(self._ledger.tasks), LIST_PACKED_S if is_packed else LIST_CROWDED_S)
        slow = min(LIST_SHARE * (now - started), LIST_LATE_S)
        self._listing.polled(now, crowded, rest_s=max(min(LIST_PER_KEY_S * keys, LIST_CROWDED_S), slow))

    def _hurry_for_cancels(self) -> None:
        """A cancel waits for the end of its job. The more jobs have to be asked about the less often."""
        if self._ledger.ending:
            pages = 1 + len(self._ledger.submissions) // limits.DESCRIBE_JOBS_IDS
            self._batch.hurry(self._clock(), self._cancel_pause_s * pages)

    def _next_place(self, page: ListPage, known: Sequence[str], listed: str) -> tuple[str, str | None]:
        """The submission to list next, and how to go on there; empty at the end.

        Any job may write below other names than those of living submissions: they are passed over.
        """
        if page.next_token is None:
            return "", None
        last = page.objects[-1].key.removeprefix(self._layout.results).partition("/")[0] if page.objects else listed
        place = bisect_left(known, last)
        if place == len(known):
            return "", None
        return known[place], page.next_token if known[place] in (last, listed) else None

    def _page_reader(self, start_after: str, token: str | None) -> Callable[[], ListPage]:
        return lambda: self._store.list_page(self._layout.results, start_after, token)

    def _take(self, page: ListPage) -> int:
        requests = [request for listed in page.objects for request in self._requests(listed)]
        self._results.request(requests)
        self._hurry_for_ends(requests)
        return len(requests)

    def _requests(self, listed: Listed) -> Iterator[ResultRequest]:
        """What is to be read of an object: of a segment each result that is new."""
        parsed = self._layout.parse_result(listed.key)
        submission = self._ledger.submissions.get(parsed[0]) if parsed is not None else None
        if parsed is None or submission is None:
            return
        segment = parsed[1] if isinstance(parsed[1], ResultSegment) else None
        ids = (parsed[1],) if isinstance(parsed[1], bytes) else submission.note_segment(parsed[1], self._secrets.of)
        for place, task_id in enumerate(ids):
            task = self._find(submission, task_id, listed.etag) if task_id else None
            if task is not None:
                task.move(BatchStage.FETCHING)  # at once: the same page may show a result under another submission, too
                part = None if segment is None else SegmentPart(place, segment.results)
                yield ResultRequest(task, submission, listed.key, listed.size, listed.etag, part)

    def _find(self, submission: Submission, task_id: bytes, etag: str) -> BatchTask | None:
        """Note that the task has a result under the submission; None: nobody waits for it."""
        if task_id in submission.found:
            return None
        task = self._ledger.tasks.get(task_id)
        if task is not None and submission.submission_id not in task.lineage:
            task = None  # the same task came again after a cancel: this is its former life's
        if submission.foreign.get(task_id) == etag:
            return None  # its job may still write over it
        if task is not None and task.stage is BatchStage.LAUNCHING:
            return None  # it is being sent again; once it is, this earlier result counts
        submission.found.add(task_id)
        if submission.is_packed:
            submission.written.add(task_id)
        return task if task is not None and task.is_open else None

    def _hurry_for_ends(self, requests: list[ResultRequest]) -> None:
        """All results of a job are there: Batch will say soon that it ended, and its objects may go."""
        if any(len(one.submission.found) >= len(one.submission.tasks) for one in requests):
            self._batch.hurry(self._clock())
