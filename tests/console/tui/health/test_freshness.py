"""Freshness by source, and what an empty table waits for."""

from __future__ import annotations

import pytest

from console.tui.health.freshness import describe_wait, stale_age, states_age
from engine.model import Link, LinkId
from engine.telemetry.schema.messages import JobState
from tests.support.console.single_pane import manager_view

NEW = Link("scheduler", False, 0.0, "not connected yet", id=LinkId.SCHEDULER)
LOST = Link("scheduler", False, 0.0, "no echo for 20 s", id=LinkId.SCHEDULER, heard_at=5.0)
UP = Link("scheduler", True, 0.0, "tcp://a:1", id=LinkId.SCHEDULER)
THROTTLED = Link("AWS Batch reads", True, 0.0, "AWS throttles ListJobs", id=LinkId.BATCH, degraded=True)
READS = Link("AWS Batch reads", True, 0.0, "eu-west-1", id=LinkId.BATCH)
STORAGE = Link("object storage", False, 0.0, "not connected yet", id=LinkId.OBJECT_STORAGE)
S3 = Link("S3", False, 0.0, "can't be reached", id=LinkId.S3)


def test_states_are_as_old_as_the_oldest_answer_about_living_jobs() -> None:
    living = manager_view(states_at=60.0)
    older = manager_view(states_at=10.0)
    ended = manager_view(states_at=0.0, counts={JobState.SUCCEEDED: 4})
    assert states_age((living, ended), 100.0) == 40.0
    assert states_age((living, older), 100.0) == 90.0
    assert states_age((ended,), 100.0) is None


def test_states_are_stale_only_while_batch_does_not_answer() -> None:
    assert stale_age((manager_view(states_at=60.0),), 100.0) is None
    assert stale_age((manager_view(states_at=60.0, states_stale=True),), 100.0) == 40.0


@pytest.mark.parametrize(
    ("links", "says"),
    [
        ((NEW, THROTTLED), "not connected to the scheduler yet: AWS throttles ListJobs"),
        ((NEW, READS), "not connected to the scheduler yet: it looks for jobs of an earlier start"),
        ((NEW, STORAGE, READS), "not connected to the scheduler yet: it looks for jobs of an earlier start"),
        ((NEW, STORAGE), "not connected to the scheduler yet: it checks the queue, the bucket and its lease"),
        ((NEW,), "not connected to the scheduler yet: it checks the queue, the bucket and its lease"),
        ((LOST,), "the scheduler does not answer: no echo for 20 s"),
        ((UP, S3), "S3 is down: can't be reached"),
        ((UP, THROTTLED), ""),
        ((UP,), ""),
    ],
)
def test_an_empty_table_says_what_the_engine_waits_for(links: tuple[Link, ...], says: str) -> None:
    assert describe_wait((manager_view(links=links),)) == says


def test_an_engine_that_drains_says_so() -> None:
    assert "drains" in describe_wait((manager_view(links=(UP,), draining=True),))
