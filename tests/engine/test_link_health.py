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
