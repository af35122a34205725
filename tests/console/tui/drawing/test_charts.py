"""Charts: as wide as asked, and nothing that is not nothing is hidden."""

from __future__ import annotations

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
