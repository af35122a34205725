"""Health of one connection: its state, since when, and the reason."""

from __future__ import annotations

from engine.link_health import LinkHealth
from tests.support.engine.managed_tasks import Clock


def test_a_link_keeps_since_when_it_is_up_or_down() -> None:
    clock = Clock(100.0)
    health = LinkHealth("scheduler", clock)
    clock.now = 110.0
    health.mark_up("tcp://a:1")
    clock.now = 120.0
    health.mark_up("tcp://a:1")
    up = health.view
    clock.now = 130.0
    health.mark_down("nobody answers")
    assert (up.up, up.since, up.detail) == (True, 110.0, "tcp://a:1")
    assert (health.view.up, health.view.since, health.view.detail) == (False, 130.0, "nobody answers")


def test_an_open_connection_on_which_nothing_is_heard_works_badly() -> None:
    clock = Clock(100.0)
    health = LinkHealth("scheduler", clock, quiet_after_s=5.0)
    assert health.is_new
    health.mark_up("tcp://a:1")
    clock.now = 106.0
    assert (health.view.up, health.view.degraded, health.view.detail) == (True, True, "nothing heard for 6 s")
    health.note_heard()
    assert (health.view.degraded, health.view.heard_at, health.view.detail) == (False, 106.0, "tcp://a:1")
    assert not health.is_new


def test_a_connection_that_owes_an_answer_and_says_nothing_works_badly() -> None:
    clock = Clock(100.0)
    health = LinkHealth("object storage", clock)
    health.mark_up("tcp://a:1")
    clock.now = 500.0
    assert not health.view.degraded  # nobody asked anything
    health.note_asked("one")
    health.note_asked("two")
    clock.now = 511.0
    assert (health.view.up, health.view.degraded, health.view.detail) == (True, True, "no answer for 11 s")
    health.note_heard()
    health.drop_asked("two")
    assert (health.view.degraded, health.view.detail) == (False, "tcp://a:1")
    clock.now = 522.0
    assert health.view.degraded
    health.drop_asked("one")
    assert not health.view.degraded
