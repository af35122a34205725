"""How often the tracker asks Batch, on a clock of its own, while reviewing missing results breaks in every round."""

from __future__ import annotations

from typing import Any

import pytest

from engine.aws.object_store import ListPage
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.track.tracker import Tracker
from engine.model import ResourceShape
from tests.support.engine.fake_clock import FakeClock


class Surroundings:
    """Stands in for everything around the tracker; nothing is ever found."""

    def __init__(self) -> None:
        self.polls = 0

    async def poll(self) -> list[Any]:
        self.polls += 1
        return []

    async def run(self, *_: object) -> ListPage:
        return ListPage((), None)

    def request(self, requests: object) -> None:
        pass

    def review(self) -> None:
        """Every task that waits for its result is odd."""
        raise KeyError("odd")


async def polls_in(seconds: float, *, ending: int, submissions: int) -> int:
    ledger, clock, around = Ledger(), FakeClock(), Surroundings()
    parts: Any = around
    task = BatchTask(bytes(16), ResourceShape(), None)
    for number in range(submissions):
        one = Submission(f"{number:032x}", "job", (task,), ResourceShape())
        ledger.submissions[one.submission_id] = one
    ledger.ending = {BatchTask(bytes(16), ResourceShape(), None) for _ in range(ending)}
    tracker = Tracker(
        client=parts,
        store=parts,
        layout=StoreLayout("bucket", "prefix", "wm"),
        ledger=ledger,
        poller=parts,
        results=parts,
        failures=parts,
        cleaner=parts,
        on_round=lambda: None,
        clock=clock,
    )
    end = clock.now + seconds
    while clock.now < end:
        await tracker.do_round()
        clock.now += 0.01
    return around.polls


@pytest.mark.parametrize(("ending", "submissions", "polls"), [(0, 1, 5), (1, 1, 39), (1, 450, 8)])
async def test_while_a_cancel_waits_batch_is_asked_often_in_proportion_to_what_is_in_flight(
    ending: int, submissions: int, polls: int
) -> None:
    assert await polls_in(10.0, ending=ending, submissions=submissions) == pytest.approx(polls, abs=2)
