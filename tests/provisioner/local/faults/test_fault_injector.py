"""Which faults strike, how often and how long."""

from __future__ import annotations

import random

from provisioner.local.faults.fault_injector import Call, FaultInjector
from provisioner.local.faults.faults import Spot, parse_fault

SUBMIT = Call("batch", "SubmitJob", "scaler-batch-manager", "wm_t1")


class StandingInjector:
    """An injector whose clock stands still."""

    def __init__(self, *faults: str) -> None:
        self.now = 0.0
        self.injector = FaultInjector(random.Random(1), lambda: self.now)
        for fault in faults:
            self.injector.add(parse_fault(fault))


def test_a_throttle_lets_its_rate_pass() -> None:
    standing = StandingInjector("throttle:SubmitJob:2/s")
    passed = 0
    for _ in range(100):
        standing.now += 0.1
        passed += not standing.injector.throttled(SUBMIT)
    assert 20 <= passed <= 22


def test_a_fault_ends_after_its_seconds() -> None:
    standing = StandingInjector("error:batch:503:30s")
    assert standing.injector.failing(SUBMIT) is not None
    standing.now = 30
    assert standing.injector.failing(SUBMIT) is None


def test_a_fault_ends_after_its_count() -> None:
    standing = StandingInjector("spot:1:x2")
    assert [standing.injector.strikes(Spot, "job") for _ in range(3)] == [True, True, False]


def test_a_fault_strikes_what_matches_only() -> None:
    standing = StandingInjector("spot:1:match=wm_*")
    assert [standing.injector.strikes(Spot, name) for name in ("wm_1", "other")] == [True, False]


def test_a_fault_strikes_about_as_often_as_it_says() -> None:
    standing = StandingInjector("spot:0.1")
    assert 70 <= sum(standing.injector.strikes(Spot, "job") for _ in range(1000)) <= 130


def test_a_slow_call_is_held_up_as_long_as_its_fault_says() -> None:
    standing = StandingInjector("slow:SubmitJob:3s:x1")
    assert [standing.injector.delay_s(SUBMIT) for _ in range(2)] == [3.0, 0.0]


def test_expired_credentials_spare_the_jobs() -> None:
    standing = StandingInjector("expired-credentials")
    assert standing.injector.expired(SUBMIT)
    assert not standing.injector.expired(Call("s3", "PutObject", "scaler-batch-runner"))
