"""Spans: foreign text is harmless, lines are as wide as asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.foreign_text import clean
from console.tui.drawing.spans import fit, fit_line, line_width, plain, spread, width

NASTY = {
    "colours": ("\x1b[31mred\x1b[0m text", "red text"),
    "a title": ("\x1b]0;owned\x07name", "name"),
    "a link": ("\x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\", "here"),
    "cursor moves": ("up\x1b[1A\x1b[2Kgone", "upgone"),
    "a progress bar": ("10%\r55%\r100%\r", "100%"),
    "bells and backspaces": ("a\x07b\x08c\x00d", "abcd"),
    "tabs": ("a\tb", "a       b"),
    "an unfinished escape": ("text\x1b[", "text"),
    "direction changes": ("abc\u202edef\u2066g", "abcdefg"),
    "invisible joiners": ("a\u200bb\ufeffc\u200dd\ufe0f", "abcd"),
    "a stack of marks": ("z" + "\u0335" * 50 + "!", "z\u0335\u0335!"),
    "eight bit escapes": ("a\x9b31mb", "ab"),
}


@pytest.mark.parametrize(("text", "wanted"), NASTY.values(), ids=NASTY.keys())
def test_foreign_text_is_made_harmless(text: str, wanted: str) -> None:
    assert clean(text) == wanted


@given(st.text(max_size=60))
def test_clean_text_has_nothing_that_moves_a_cursor(text: str) -> None:
    cleaned = clean(text)
    assert all(char.isprintable() or char == "\u3000" or char.isspace() for char in cleaned)
    assert not set(cleaned) & set("\x1b\r\n\t\x07\x08")


def test_a_megabyte_in_one_line_is_cut_before_anything_else() -> None:
    assert len(clean("x" * 1_000_000)) <= 8192


@given(st.text(max_size=40), st.integers(0, 30), st.booleans())
def test_fitted_text_is_exactly_as_wide_as_asked(text: str, cells: int, right: bool) -> None:
    assert width(fit(clean(text), cells, right=right)) == cells


@given(
    st.lists(st.tuples(st.text(max_size=10).map(clean), st.sampled_from(["a", "b"])), max_size=6), st.integers(1, 30)
)
def test_a_fitted_line_is_exactly_as_wide_as_asked(line: list[tuple[str, str]], cells: int) -> None:
    assert line_width(fit_line(line, cells)) == cells
    assert line_width(fit_line(line, cells, ellipsis="…")) == cells


def test_the_right_end_gives_way_when_both_do_not_fit() -> None:
    assert plain(spread([("left", "")], [("right", "")], 10)) == "left right"
    assert plain(spread([("left", "")], [("right", "")], 8)) == "left    "
