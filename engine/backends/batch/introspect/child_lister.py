"""Lister of the running children of mixed arrays, one page of a listing at a time, while there are viewers."""

from __future__ import annotations

from typing import Final

from engine.aws.batch_jobs import JobsClient, children_in_state
from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import Ledger, Submission

LISTED: Final = (BatchState.RUNNING, BatchState.STARTING)
"""Few at a time, and what viewers want to know; the rest follows from the counts."""


class ChildLister:
    """Lets arrays take turns, whatever their number: the calls are bounded by who calls `list_next`."""

    def __init__(self, *, jobs: JobsClient, ledger: Ledger) -> None:
        self._jobs = jobs
        self._ledger = ledger
        self._turn: dict[tuple[str, BatchState], int] = {}
        self._turns = 0

    async def list_next(self) -> None:
        """Make one ListJobs for the array and state that waited longest, if any array is mixed. Raises `AwsError`."""
        mixed = {
            (one.submission_id, state): one
            for one in self._ledger.submissions.values()
            for state in LISTED
            if one.is_array and one.summary.get(state) and len(one.summary) > 1
        }
        self._turn = {key: turn for key, turn in self._turn.items() if key in mixed}
        if mixed:
            key = min(mixed, key=lambda one: self._turn.get(one, 0))
            self._turns += 1
            self._turn[key] = self._turns
            await self._list(mixed[key], key[1])

    def forget(self) -> None:
        """Drop what was listed, which grows old without viewers."""
        for submission in self._ledger.submissions.values():
            submission.listed.clear()

    async def _list(self, submission: Submission, state: BatchState) -> None:
        assert submission.job_id is not None
        page = await self._jobs.first_page(children_in_state(submission.job_id, state), tries=1)
        others = {index: listed for index, listed in submission.listed.items() if listed is not state}
        submission.listed = others | {child.index: state for child in page if child.index is not None}
