"""Health of the engine process: CPU, memory and lag."""

from __future__ import annotations

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
