"""Word wrap by terminal cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.tui.drawing.spans import width
from console.tui.drawing.wrapping import folded, folded_spans


@given(st.text(alphabet="ab 漢é", max_size=80), st.integers(2, 20))
def test_folded_lines_fit_and_lose_nothing_but_blanks(text: str, cells: int) -> None:
    lines = folded(text, cells)
    assert all(width(line) <= cells for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.text(alphabet="ab 漢é", max_size=80), st.integers(2, 20))
def test_the_places_of_folded_lines_are_where_their_text_stands(text: str, cells: int) -> None:
    spans = folded_spans(text, cells)
    assert [text[begin:end] for begin, end in spans] == folded(text, cells)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    assert edges == sorted(edges)
    assert all(not text[end:begin].strip() for end, begin in zip(edges[::2], edges[1::2], strict=True))


def test_a_long_word_is_folded_behind_a_sign_that_joins_its_parts() -> None:
    assert folded("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", 36) == ["CAPACITY:INSUFFICIENT_INSTANCE_", "CAPACITY"]
    assert folded("x" * 40, 36) == ["x" * 36, "x" * 4]
