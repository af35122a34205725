"""The one loop that follows everything in flight.

Listing the results finds everything that finished, singles and children alike, whatever their number. Batch is
asked less often, for what a listing can't show: states, and jobs that ended without a result. Batch is always
asked before the listing, so that a job that had ended and a listing without its result prove a silent end.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Final

from engine.aws.budget import Clock
from engine.aws.client import LIST_OBJECTS, AwsClient
from engine.aws.object_store import ListPage, ObjectStore
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failure_handler import FailureHandler
from engine.backends.batch.track.job_poller import JobPoll, JobPoller
from engine.backends.batch.track.results import ResultReader, ResultRequest

logger = logging.getLogger(__name__)

LIST_SOON_S: Final = 0.1
LIST_LATE_S: Final = 2.0
LIST_GROWTH: Final = 1.25
LIST_PER_TASK_S: Final = 0.002
LIST_CROWDED_S: Final = 1.0
"""With hundreds in flight a listing costs more and each result matters less: from 500 tasks on, one a second."""
LIST_SHARE: Final = 4
"""However long a listing takes, at least this many times as long passes before the next."""
BATCH_SOON_S: Final = 1.0
BATCH_LATE_S: Final = 5.0
BATCH_GROWTH: Final = 1.5
CANCEL_LOOK_S: Final = 0.25
"""How often Batch is asked while somebody waits for the end of a cancelled job."""


@dataclass(slots=True)
class Cadence:
    """Time between two looks: short after something happened, then longer and longer."""

    soon: float
    late: float
    growth: float
    interval: float = field(init=False)
    due: float = float("-inf")

    def __post_init__(self) -> None:
        self.interval = self.soon

    def hurry(self, now: float) -> None:
        self.interval = self.soon
        self.due = min(self.due, now + self.soon)

    def looked(self, now: float, at_least: float = 0.0) -> None:
        self.due = now + max(self.interval, at_least)
        self.interval = min(self.late, self.interval * self.growth)


class Tracker:
    """Runs until cancelled; does nothing at all while nothing is in flight."""

    def __init__(
        self,
        caller: AwsClient,
        store: ObjectStore,
        layout: StoreLayout,
        ledger: Ledger,
        watch: JobPoller,
        reader: ResultReader,
        endings: FailureHandler,
        canceller: Canceller,
        cleaner: ObjectCleaner,
        clock: Clock,
    ) -> None:
        self._caller = caller
        self._store = store
        self._layout = layout
        self._ledger = ledger
        self._watch = watch
        self._reader = reader
        self._endings = endings
        self._canceller = canceller
        self._cleaner = cleaner
        self._clock = clock
        self._listing = Cadence(LIST_SOON_S, LIST_LATE_S, LIST_GROWTH)
        self._batch = Cadence(BATCH_SOON_S, BATCH_LATE_S, BATCH_GROWTH)

    async def run(self) -> None:
        while True:
            await self._wait()
            await self.look()

    async def look(self) -> None:
        """One round: Batch when it is due, then the results, then what follows from both."""
        self._ledger.open_claimed()
        polls: list[JobPoll] = []
        if self._clock() >= self._batch.due:
            polls = await self._watch.look()
            self._batch.looked(self._clock(), CANCEL_LOOK_S if self._ledger.watched else 0.0)
        await self._list_results()
        for poll in polls:
            await self._watch.judge(poll)
        self._endings.review()
        if polls:
            self._cleaner.wake()

    async def _wait(self) -> None:
        """Until a look is due, or something happened."""
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

    async def _list_results(self) -> None:
        """Whatever is new among the results of submissions in flight."""
        if not self._ledger.submissions:
            return
        started = self._clock()
        found = 0
        start_after = self._layout.results + min(self._ledger.submissions)
        token: str | None = None
        while True:
            page = await self._caller.run(LIST_OBJECTS, self._page_reader(start_after, token))
            found += self._take(page)
            token = page.next_token
            if token is None:
                break
        now = self._clock()
        if found:
            self._listing.hurry(now)
        crowded = min(LIST_PER_TASK_S * len(self._ledger.tasks), LIST_CROWDED_S)
        slow = min(LIST_SHARE * (now - started), LIST_LATE_S)
        self._listing.looked(now, max(crowded, slow))

    def _page_reader(self, start_after: str, token: str | None) -> Any:
        return lambda: self._store.list_page(self._layout.results, start_after, token)

    def _take(self, page: ListPage) -> int:
        wanted = []
        for listed in page.objects:
            parsed = self._layout.parse_result(listed.key)
            submission = self._ledger.submissions.get(parsed[0]) if parsed is not None else None
            if parsed is None or submission is None or parsed[1] in submission.found:
                continue
            record = self._ledger.tasks.get(parsed[1])
            if record is not None and parsed[0] not in record.lineage:
                record = None  # the same task came again after a cancel: this is its former life's
            if record is not None and record.stage is BatchStage.LAUNCHING:
                continue  # it is being sent again; once it is, this earlier result counts
            submission.found.add(parsed[1])
            if record is not None and record.is_open:
                self._overtake(submission, record)
                wanted.append(ResultRequest(record, submission, listed.key, listed.size))
        self._reader.want(wanted)
        self._hurry_for_ends(wanted)
        return len(wanted)

    def _overtake(self, found_in: Submission, record: BatchTask) -> None:
        if record.submission is not None and record.submission is not found_in:
            self._canceller.spawn(self._canceller.terminate_copy(record.submission, record))

    def _hurry_for_ends(self, wanted: list[ResultRequest]) -> None:
        """All results of a job are there: Batch will say soon that it ended, and its objects may go."""
        if any(len(one.submission.found) >= len(one.submission.tasks) for one in wanted):
            self._batch.hurry(self._clock())
