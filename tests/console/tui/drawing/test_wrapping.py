"""Word wrap by terminal cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.tui.drawing.spans import width
from console.tui.drawing.wrapping import folded


@given(st.text(alphabet="ab 漢é", max_size=80), st.integers(2, 20))
def test_folded_lines_fit_and_lose_nothing_but_blanks(text: str, cells: int) -> None:
    lines = folded(text, cells)
    assert all(width(line) <= cells for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
