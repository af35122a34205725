"""Charts: as wide as asked, and nothing that is not nothing is hidden."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import format
from console.tui.drawing.charts import bar, spark, stacked
from console.tui.drawing.glyphs import ASCII, UNICODE, Glyphs


@given(st.lists(st.floats(0, 1e9), max_size=100), st.integers(0, 40), st.sampled_from([UNICODE, ASCII]))
def test_a_sparkline_is_as_wide_as_asked_and_shows_what_is_not_nothing(
    values: list[float], cells: int, glyphs: Glyphs
) -> None:
    drawn = spark(values, cells, glyphs)
    assert len(drawn) == cells
    if len(values) <= cells:
        assert [value > 0 for value in values] == [sign != glyphs.spark[0] for sign in drawn[cells - len(values) :]]


@given(st.floats(0, 3), st.integers(0, 40), st.sampled_from([UNICODE, ASCII]))
def test_a_bar_is_as_wide_as_asked(share: float, cells: int, glyphs: Glyphs) -> None:
    used, free = bar(share, cells, glyphs)
    assert len(used + free) == cells
    assert bool(used) == (share > 0 and cells > 0)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=4), st.integers(8, 60))
def test_a_stacked_bar_gives_every_share_a_cell(parts: list[int], cells: int) -> None:
    shares = format.percents(parts)
    assert shares is not None
    lengths = stacked(shares, cells)
    assert sum(lengths) == cells
    assert all(length > 0 for length, share in zip(lengths, shares, strict=True) if share)


def test_the_cells_add_up_and_one_failure_among_thousands_is_seen() -> None:
    chance = random.Random(1)
    for _ in range(300):
        counts = [chance.choice((0, 1, 5, 10_000, 1_000_000)) for _ in range(6)]
        cells = stacked(counts, 20)
        assert sum(cells) == (20 if any(counts) else 0)
        assert all(bool(count) == bool(cell) for count, cell in zip(counts, cells, strict=True))


@pytest.mark.parametrize("cells", [12, 18, 21])
def test_what_has_ended_more_has_no_shorter_bar(cells: int) -> None:
    further, behind = stacked([141, 0, 1, 0, 20, 38], cells), stacked([134, 0, 0, 0, 22, 44], cells)
    assert further[0] >= behind[0]


@pytest.mark.parametrize("cells", [0, 1, 3])
def test_where_there_is_no_room_for_every_share_the_largest_stay(cells: int) -> None:
    assert sum(stacked([9, 5, 0, 1, 2], cells)) == cells
