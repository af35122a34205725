"""The engine's own CPU, memory and lag, and the state of its connections."""

from __future__ import annotations

from engine.link_health import LinkHealth
from engine.telemetry.server.vitals import Vitals, resident_bytes
from tests.support.engine.managed_tasks import Clock


def test_cpu_is_a_share_of_one_core_over_the_window() -> None:
    monotonic, cpu = Clock(0.0), Clock(0.0)
    vitals = Vitals("0.1", monotonic=monotonic, cpu_clock=cpu)
    for _ in range(100):
        monotonic.now += 0.5
        cpu.now += 0.1
        vitals.sample(0.0)
    assert round(vitals.read(0).cpu_share, 6) == 0.2


def test_lag_is_the_worst_of_the_last_ten_seconds() -> None:
    vitals = Vitals("0.1")
    vitals.sample(0.7)
    worst = vitals.read(0).loop_lag_s
    for _ in range(21):
        vitals.sample(0.01)
    assert (worst, vitals.read(0).loop_lag_s) == (0.7, 0.01)


def test_memory_is_that_of_this_process() -> None:
    assert 10_000_000 < resident_bytes() < 10_000_000_000


def test_a_link_tells_since_when_it_is_as_it_is() -> None:
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
