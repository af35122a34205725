"""Charts one line high: sparklines, bars, and bars of several shares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from console.tui.drawing.glyphs import Glyphs


def spark(values: Sequence[float], cells: int, glyphs: Glyphs) -> str:
    """Sparkline, newest value at the right end; the lowest sign is 0 only, so that one job among thousands is seen.

    More values than cells: the highest of each group. Fewer: blanks at the left.
    """
    if cells <= 0 or not values:
        return " " * max(0, cells)
    shown = _squeezed(values, cells)
    top = max(shown)
    last = len(glyphs.spark) - 1
    steps = [0 if top <= 0 or value <= 0 else max(1, round(value / top * last)) for value in shown]
    return "".join(glyphs.spark[step] for step in steps).rjust(cells)


def _squeezed(values: Sequence[float], cells: int) -> list[float]:
    if len(values) <= cells:
        return list(values)
    edges = [round(index * len(values) / cells) for index in range(cells + 1)]
    return [max(values[begin:end]) for begin, end in pairwise(edges)]


def bar(share: float, cells: int, glyphs: Glyphs) -> tuple[str, str]:
    """Used and free part of a bar; a share above 1 is a full bar, one above 0 is at least a step."""
    if cells <= 0:
        return "", ""
    steps = len(glyphs.bar_steps)
    filled = round(min(1.0, max(0.0, share)) * cells * steps)
    if share > 0:
        filled = max(1, filled)
    whole, rest = divmod(filled, steps)
    used = glyphs.bar_steps[-1] * whole + (glyphs.bar_steps[rest - 1] if rest else "")
    return used, glyphs.bar_free * (cells - len(used))


def stacked(parts: Sequence[int], cells: int) -> list[int]:
    """Cells of each part; they add up to `cells`, and a part above 0 gets one while there is room."""
    if not (total := sum(parts)):
        return [0] * len(parts)
    ideal = [part * cells / total for part in parts]
    lengths = [max(1, round(each)) if part else 0 for part, each in zip(parts, ideal, strict=True)]
    while sum(lengths) < cells:
        lengths[max(_places(parts), key=lambda place: ideal[place] - lengths[place])] += 1
    while sum(lengths) > cells:
        longer = [place for place in _places(lengths) if lengths[place] > 1]
        lengths[max(longer or _places(lengths), key=lambda place: lengths[place] - ideal[place])] -= 1
    return lengths


def _places(parts: Sequence[int]) -> list[int]:
    """Places of those above 0."""
    return [place for place, part in enumerate(parts) if part]
