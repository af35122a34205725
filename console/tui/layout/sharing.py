"""Lines of a screen shared among panes that stand below each other, by what each has to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from textual.widget import Widget

BARS: Final = 2
"""Lines of a screen's top bar and key bar."""
FRAME: Final = 2
"""Lines of a pane's frame."""


def share_lines(room: int, least: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Lines of each: at least its `least`, then in turn what it wants as far as there is room; the last has the rest.

    The sum is `room`, or that of `least` where it is more.
    """
    shares = list(least)
    left = max(0, room - sum(shares))
    for place, most in enumerate(wanted):
        more = min(left, max(0, most - shares[place]))
        shares[place] += more
        left -= more
    shares[-1] += left
    return shares


def set_height(widget: Widget, lines: int) -> None:
    """Set a height, unless it is that already: a layout costs much more than a look."""
    height = widget.styles.height
    if height is None or height.value != lines or not height.is_cells:
        widget.styles.height = lines
