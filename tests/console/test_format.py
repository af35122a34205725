"""Formats of numbers and ages: short, and never a 0 for an unknown value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import format


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (-1, "0s"), (0, "0s"), (59.9, "59s"), (61, "1m"), (7_300, "2h"), (90_000, "1d")]
)
def test_an_age_is_short_and_never_negative(seconds: float | None, text: str) -> None:
    assert format.age(seconds) == text


@given(st.floats(0, 9e14))
def test_short_numbers_are_short(number: float) -> None:
    assert len(format.short_count(number)) <= 4
    assert len(format.size(number)) <= 4


@pytest.mark.parametrize("draw", [format.count, format.short_count, format.size, format.age, format.span, format.clock])
def test_what_is_unknown_is_never_a_nought(draw: object) -> None:
    assert draw(None) == "–"  # type: ignore[operator]
    assert "–" not in draw(0)  # type: ignore[operator]


def test_a_rate_that_is_not_nothing_is_not_shown_as_nothing() -> None:
    assert [format.rate(value) for value in (None, 0, 0.01, 0.2, 41, 12_345)] == [
        "–/s",
        "0/s",
        "<0.1/s",
        "0.2/s",
        "41/s",
        "12k/s",
    ]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_shares_add_to_a_hundred(parts: list[int]) -> None:
    shares = format.percents(parts)
    assert (shares is None) == (sum(parts) == 0)
    assert shares is None or sum(shares) == 100


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_a_place_is_said_as_people_say_it(number: int, text: str) -> None:
    assert format.ordinal(number) == text
