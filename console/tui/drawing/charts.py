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


def stacked(percents: Sequence[int], cells: int) -> list[int]:
    """Cells of each share; they add up to `cells`, and a share above 0 gets one while there is room."""
    edges = [0]
    for part in percents:
        edges.append(edges[-1] + part)
    lengths = [round(b * cells / 100) - round(a * cells / 100) for a, b in pairwise(edges)]
    for index, part in enumerate(percents):
        largest = max(range(len(lengths)), key=lengths.__getitem__)
        if part and not lengths[index] and lengths[largest] > 1:
            lengths[index] += 1
            lengths[largest] -= 1
    return lengths
