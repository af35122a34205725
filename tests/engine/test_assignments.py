"""What the scheduler counts against our queue on one connection: an upper bound, lowered by proofs alone."""

from __future__ import annotations

from engine.assignments import Assignments


def test_a_full_queue_has_no_room() -> None:
    assignments = Assignments(queue_size=2)
    assignments.add(b"a")
    with_one = assignments.has_room
    assignments.add(b"b")
    assert (with_one, assignments.has_room) == (True, False)


def test_an_end_makes_room_with_the_echo_of_a_heartbeat_that_was_sent_behind_it() -> None:
    assignments = Assignments(queue_size=1)
    assignments.add(b"a")
    assignments.end(b"a", heartbeats_sent=3)
    rooms = []
    for echoed in (2, 3, 4):
        assignments.on_echo(echoed)
        rooms.append(assignments.has_room)
    assert rooms == [False, False, True]


def test_a_task_that_comes_again_counts_again() -> None:
    assignments = Assignments(queue_size=1)
    assignments.add(b"a")
    assignments.end(b"a", heartbeats_sent=0)
    assignments.add(b"a")
    assignments.on_echo(1)
    assert not assignments.has_room


def test_the_end_of_a_task_of_an_earlier_connection_takes_nothing_off() -> None:
    assignments = Assignments(queue_size=1)
    assignments.add(b"a")
    assignments.end(b"b", heartbeats_sent=0)
    assignments.on_echo(1)
    assert not assignments.has_room
