"""Meter of idle hosts: what was seen is counted, what wasn't is told."""

from __future__ import annotations

import pytest

from engine.model import IdleHosts, Price
from engine.pricing.idle_hosts import LONGEST_GAP_S, IdleHostsMeter

UNPRICED = Price(note="denied")


def metered(*readings: tuple[float, float | None], opened_at: float = 0.0) -> IdleHostsMeter:
    """A meter with readings of so many vCPUs at those times."""
    meter = IdleHostsMeter()
    meter.open(opened_at)
    for at, vcpus in readings:
        meter.note(vcpus, at)
    return meter


def test_between_two_readings_their_mean_is_counted() -> None:
    assert metered((0.0, 8.0), (60.0, 4.0), (120.0, 4.0)).view(UNPRICED, 120.0) == IdleHosts(600.0, 120.0, 120.0)


@pytest.mark.parametrize(
    "readings",
    [
        ((0.0, 8.0), (LONGEST_GAP_S + 1, 8.0)),
        ((0.0, 8.0), (60.0, None), (120.0, 8.0)),
        ((0.0, None), (60.0, 8.0)),
    ],
)
def test_what_lies_beside_a_missing_reading_was_not_seen(
    readings: tuple[tuple[float, float | None], ...],
) -> None:
    found = metered(*readings).view(UNPRICED, 300.0)
    assert (found.vcpu_s, found.seen_s, found.watched_s) == (0.0, 0.0, 300.0)


def test_while_there_can_be_no_hosts_nothing_is_seen_and_nothing_is_missed() -> None:
    meter = metered((0.0, 8.0), (60.0, 8.0))
    meter.close(60.0)
    meter.note(8.0, 100.0)
    meter.open(1000.0)
    meter.note(8.0, 1010.0)
    meter.note(8.0, 1070.0)
    found = meter.view(UNPRICED, 1070.0)
    assert (found.vcpu_s, found.seen_s, found.watched_s) == (960.0, 120.0, 130.0)


def test_money_is_counted_by_the_price_of_then_and_before_the_first_one_by_that() -> None:
    meter = metered((0.0, 60.0), (60.0, 60.0))
    assert meter.view(UNPRICED, 60.0).money is None
    assert meter.view(Price(0.5), 60.0).money == pytest.approx(0.5)
    assert meter.view(Price(1.0), 60.0).money == pytest.approx(0.5)
    meter.note(60.0, 120.0)
    assert meter.view(Price(1.0), 120.0).money == pytest.approx(1.5)
    assert meter.view(Price(0.1), 120.0).money == pytest.approx(1.5)
