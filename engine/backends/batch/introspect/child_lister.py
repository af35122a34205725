"""While somebody looks: which children of mixed arrays run at present, one page of a listing at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.aws import limits
from engine.aws.batch_states import BatchState
from engine.aws.client import LIST_JOBS, AwsClient
from engine.backends.batch.ledger import Ledger, Submission

LISTED: Final = (BatchState.RUNNING, BatchState.STARTING)
"""Few at a time, and what people want to know; the rest follows from the counts."""


@dataclass(slots=True, eq=False)
class ChildLister:
    """Arrays take turns, whatever their number: the calls are bounded by who calls `list_next`."""

    caller: AwsClient
    ledger: Ledger
    _turn: dict[tuple[str, BatchState], int] = field(default_factory=dict)
    _turns: int = 0

    async def list_next(self) -> None:
        """One ListJobs for the array and state that waited longest, if any array is mixed. Raises `AwsError`."""
        mixed = {
            (one.submission_id, state): one
            for one in self.ledger.submissions.values()
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
        """Nobody looks any more; what was listed grows old."""
        for submission in self.ledger.submissions.values():
            submission.listed.clear()

    async def _list(self, submission: Submission, state: BatchState) -> None:
        page = await self.caller.call(
            LIST_JOBS,
            tries=1,
            arrayJobId=submission.job_id,
            jobStatus=state.value,
            maxResults=limits.LIST_JOBS_PAGE,
        )
        others = {index: seen for index, seen in submission.listed.items() if seen is not state}
        found = {child["arrayProperties"]["index"]: state for child in page["jobSummaryList"]}
        submission.listed = others | found
