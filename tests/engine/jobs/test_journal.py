"""Journal: the newest events, in order, each told once to the publisher."""

from __future__ import annotations

from engine.jobs.journal import LONGEST_TEXT, Journal
from engine.telemetry.schema.messages import EventKind
from tests.support.engine.managed_tasks import Clock, Managed, Tasks


def news(managed: Managed) -> list[tuple[str, str]]:
    journal = Journal(managed.clock)
    managed.registry.news.take_into(journal, managed.name)
    return [(event.kind, event.text) for event in journal.after(-1)]


def test_the_newest_events_are_kept_in_order() -> None:
    journal = Journal(Clock(), kept=3)
    for number in range(5):
        journal.add(EventKind.CHANGED, str(number))
    assert [(event.seq, event.text) for event in journal.after(-1)] == [(2, "2"), (3, "3"), (4, "4")]
    assert [event.text for event in journal.after(3)] == ["4"]


def test_what_is_new_is_taken_once() -> None:
    journal = Journal(Clock())
    journal.add(EventKind.CHANGED, "a")
    assert [event.text for event in journal.take_new()] == ["a"]
    assert journal.take_new() == ()
    journal.add(EventKind.CHANGED, "b")
    assert [event.text for event in journal.take_new()] == ["b"]


def test_a_text_is_bounded() -> None:
    journal = Journal(Clock())
    journal.add(EventKind.CHANGED, "x" * 10_000)
    assert len(journal.after(-1)[0].text) == LONGEST_TEXT


def test_a_client_is_new_once() -> None:
    managed = Managed(clock=Clock())
    managed.tasks.arrive(1)
    managed.tasks.arrive(2)
    assert news(managed) == [("new client", "Client|quant")]


def test_the_first_failure_of_a_function_and_cause_is_told_with_its_job() -> None:
    managed = Managed(clock=Clock())
    tasks: Tasks = managed.tasks
    tasks.submit(1, 2, 3)
    for number, reason in ((1, "exit code 7"), (2, "exit code 7"), (3, "exit code 9")):
        tasks.end(number, succeeded=False, reason=reason)
    assert news(managed)[1:] == [("new failure", "?: exit code 7"), ("new failure", "?: exit code 9")]
