"""Word wrap by terminal cells."""

from __future__ import annotations

from typing import Final

from rich.cells import set_cell_size

from console.tui.drawing.spans import width

JOINTS: Final = "_:/,="
"""Signs behind which a word without a blank may be folded: AWS's reasons, ARNs, arguments of commands."""


def folded(text: str, cells: int) -> list[str]:
    """Wrap text into at least one line, none wider than `cells` (two at least: a wide character must fit)."""
    cells = max(2, cells)
    lines: list[str] = []
    while width(text) > cells:
        part = set_cell_size(text, cells).rstrip() if text.isascii() else _prefix(text, cells)
        if not text[len(part) :].startswith(" "):
            part = part[: _end_of_line(part, cells // 2)]
        lines.append(part.rstrip())
        text = text[max(1, len(part)) :].lstrip()
    return [*lines, text]


def _end_of_line(part: str, least: int) -> int:
    """Behind the last blank of what fits, else behind the last sign that joins words; without any all of it."""
    for signs in (" ", JOINTS, "-"):
        place = max(part.rfind(sign) for sign in signs)
        if place > least:
            return place + 1
    return len(part)


def folded_spans(text: str, cells: int) -> list[tuple[int, int]]:
    """Begin and end in `text` of each of its wrapped lines; the blanks between two of them belong to neither."""
    spans, at = [], 0
    for part in folded(text, cells):
        at = text.index(part, at)
        spans.append((at, at + len(part)))
        at += len(part)
    return spans


def _prefix(text: str, cells: int) -> str:
    """Longest prefix that is not wider than `cells`."""
    low, high = 1, min(len(text), cells * 3)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle]) <= cells:
            low = middle
        else:
            high = middle - 1
    return text[:low]
