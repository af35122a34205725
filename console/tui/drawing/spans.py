"""Lines of spans, text with a role each, measured in terminal cells; foreign text is made harmless.

A pane draws such lines; `console.tui.drawing.theme` gives a role its style. Plain data, so that a line can be compared
with the one before it, tested without a terminal, and printed by `--once`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
"""Text and role; roles separated by a blank are laid over each other, the last on top."""
Line = tuple[Span, ...]

EMPTY: Final[Line] = ()
_ASCII: Final = {"–": "-", "…": "~"}


def width(text: str) -> int:
    """Width of `text` in terminal cells."""
    return len(text) if text.isascii() else cell_len(text)


def line_width(line: Iterable[Span]) -> int:
    """Width of a line in terminal cells."""
    return sum(width(text) for text, _ in line)


def fit(text: str, cells: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """Pad or cut `text` to exactly `cells`, cut with an ellipsis."""
    missing = cells - width(text)
    if missing >= 0:
        return " " * missing + text if right else text + " " * missing
    if cells <= 0:
        return ""
    return set_cell_size(text, cells - 1) + ellipsis


def fit_line(line: Iterable[Span], cells: int, role: str = "", ellipsis: str = "") -> Line:
    """Pad a line with `role`, or cut its end, to exactly `cells`; with an ellipsis when more than blanks go."""
    fitted: list[Span] = []
    left = cells
    for text, of in line:
        wide = width(text)
        if wide > left:
            fitted.append((_cut(text, left, ellipsis), of))
            left = 0
            break
        fitted.append((text, of))
        left -= wide
    if left:
        fitted.append((" " * left, role))
    return merge(fitted)


def _cut(text: str, cells: int, ellipsis: str) -> str:
    return fit(text, cells, ellipsis=ellipsis) if ellipsis and text.strip() else set_cell_size(text, cells)


def spread(left: Iterable[Span], right: Iterable[Span], cells: int, fill: Span = (" ", "")) -> Line:
    """Put `left` and `right` at the two ends of a line; `right` gives way when there is no room for both."""
    left, right = tuple(left), tuple(right)
    gap = cells - line_width(left) - line_width(right)
    if gap < (1 if right else 0):
        return (
            fit_line(left, cells)
            if line_width(left) >= cells
            else (*left, (fill[0] * (cells - line_width(left)), fill[1]))
        )
    return merge([*left, (fill[0] * gap, fill[1]), *right])


def merge(spans: Iterable[Span]) -> Line:
    """Join neighbours of one role: fewer colour changes go to the terminal."""
    merged: list[Span] = []
    for text, role in spans:
        if not text:
            continue
        if merged and merged[-1][1] == role:
            merged[-1] = (merged[-1][0] + text, role)
        else:
            merged.append((text, role))
    return tuple(merged)


def overlay(line: Iterable[Span], role: str) -> Line:
    """Lay `role` over every part of a line."""
    return tuple((text, f"{of} {role}" if of else role) for text, of in line)


def plain(line: Iterable[Span]) -> str:
    """Text of a line without roles."""
    return "".join(text for text, _ in line)


def ascii_only(text: str) -> str:
    """Replace signs by ASCII of the same width: one without an ASCII form becomes a question mark per cell."""
    if text.isascii():
        return text
    return "".join(char if char.isascii() else _ASCII.get(char, "?" * cell_len(char)) for char in text)
