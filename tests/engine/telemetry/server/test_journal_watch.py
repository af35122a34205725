"""Watch over a manager: begin and end of what happens are an event each, however often one looks."""

from __future__ import annotations

import pytest

from engine.aws.batch_states import BatchState
from engine.jobs.journal import Journal
from engine.model import CallStats, JobObservation, Link, Placement, Route
from engine.telemetry.schema.messages import Budget, BudgetView, EventKind
from engine.telemetry.server.jobs.journal_watch import RARE_LOOK_S, THROTTLING_OVER_S, JournalWatch
from tests.support.engine.managed_tasks import Clock, Managed, id_of


class LookedAt:
    """A manager, its journal, and looks at it five seconds apart."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.managed = Managed(clock=self.clock)
        self.journal = Journal(self.clock)
        self.watch = JournalWatch(self.managed, self.journal)
        self.seen = -1
        self.look()

    def look(self, times: int = 3) -> list[tuple[str, str]]:
        for _ in range(times):
            self.clock.now += RARE_LOOK_S
            self.watch.look(self.clock.now)
        new = self.journal.after(self.seen)
        self.seen = new[-1].seq if new else self.seen
        return [(event.kind, event.text) for event in new]


@pytest.fixture
def looked() -> LookedAt:
    return LookedAt()


def test_nothing_happens_when_nothing_is_different(looked: LookedAt) -> None:
    assert looked.look() == []


def test_a_budget_is_spent_and_raised(looked: LookedAt) -> None:
    looked.managed.budget = BudgetView(Budget(50.0), 12.0, False)
    assert looked.look() == []
    looked.managed.budget = BudgetView(Budget(50.0), 50.1, True)
    assert looked.look() == [(EventKind.PAUSED, "the budget of 50.00 is spent")]
    looked.managed.budget = BudgetView(Budget(80.0), 50.1, False)
    assert looked.look() == [(EventKind.RESUMED, "the budget lets jobs be submitted again")]


def test_a_link_goes_down_and_comes_back(looked: LookedAt, monkeypatch: pytest.MonkeyPatch) -> None:
    down = (Link("scheduler", False, 0.0, "nobody answers"),)
    looked.managed.links = lambda: (Link("scheduler", True, 0.0),)  # type: ignore[method-assign]
    assert looked.look() == []
    looked.managed.links = lambda: down  # type: ignore[method-assign]
    assert looked.look() == [(EventKind.LINK_DOWN, "scheduler is down: nobody answers")]
    looked.managed.links = lambda: (Link("scheduler", True, 0.0),)  # type: ignore[method-assign]
    assert looked.look() == [(EventKind.LINK_UP, "scheduler is up again")]


def test_a_link_that_comes_up_at_the_start_does_not_come_back(looked: LookedAt) -> None:
    looked.managed.links = lambda: (Link("scheduler", False, 0.0),)  # type: ignore[method-assign]
    looked.look()
    looked.managed.links = lambda: (Link("scheduler", True, 0.0),)  # type: ignore[method-assign]
    assert looked.look() == [(EventKind.LINK_UP, "scheduler is up")]


def test_a_pause_and_a_drain_are_told(looked: LookedAt) -> None:
    looked.managed.tasks.paused = "ExpiredToken"
    assert looked.look() == [(EventKind.PAUSED, "ExpiredToken")]
    looked.managed.tasks.paused = ""
    assert looked.look() == [(EventKind.RESUMED, "jobs can be submitted again")]
    looked.managed.stopped.append(None)  # type: ignore[arg-type]
    assert [kind for kind, _ in looked.look()] == [EventKind.DRAINING]


def test_throttling_begins_at_the_first_and_ends_half_a_minute_after_the_last(looked: LookedAt) -> None:
    throttles = 0

    def calls() -> tuple[CallStats, ...]:
        return (CallStats("SubmitJob", throttles=throttles),)

    looked.managed.introspection.calls = calls  # type: ignore[method-assign]
    found = []
    for throttles in (3, 3, 9):  # noqa: B007
        found += looked.look(1)
    assert found == [(EventKind.THROTTLED, "AWS throttles SubmitJob")]
    assert looked.look(int(THROTTLING_OVER_S / RARE_LOOK_S) - 1) == []
    assert [kind for kind, _ in looked.look(2)] == [EventKind.UNTHROTTLED]


def test_a_reason_for_waiting_comes_and_goes(looked: LookedAt) -> None:
    tasks, registry = looked.managed.tasks, looked.managed.registry
    tasks.submit(1, 2)
    for number in (1, 2):
        tasks.records[number].batch_state = BatchState.RUNNABLE
        registry.on_changed(tasks.records[number])
        registry.on_observed(id_of(number), JobObservation(reason="CAPACITY:no c6i.large"))
    assert (EventKind.CAPACITY, "CAPACITY:no c6i.large") in looked.look()
    for number in (1, 2):
        tasks.records[number].batch_state = BatchState.RUNNING
        registry.on_changed(tasks.records[number])
    assert looked.look() == [(EventKind.CAPACITY_OVER, "no job waits any more for: CAPACITY:no c6i.large")]


def test_a_takeover_is_one_event(looked: LookedAt) -> None:
    for number in range(12):
        looked.managed.tasks.arrive(number)
        placement = Placement("5" * 32, "old", Route.S3, (id_of(number),), 0, 1)
        looked.managed.registry.on_adopted(placement)
    assert (EventKind.TAKEOVER, "12 tasks of a predecessor were adopted") in looked.look()
