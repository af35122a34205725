"""Alert lines: the worst of what is wrong, over two lines at most, each with its key. Blank while all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from console.foreign_text import clean
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import Line, fit, width
from console.tui.drawing.wrapping import folded
from console.tui.health.alerts import Alert
from console.tui.widgets.pane import Pane

MOST_LINES: Final = 2
NARROWEST: Final = 30
"""Cells below which nothing of it could be read."""


class AlertLine(Pane):
    """One line, or two when one doesn't hold what there is to tell: the pane sets its own height."""

    FRAMED = False

    _alerts: Sequence[Alert] = ()
    _with_keys = True

    def show(self, alerts: Sequence[Alert], *, with_keys: bool = True) -> None:
        """Set the alerts, the worst first."""
        self._alerts, self._with_keys = alerts, with_keys
        high = max(1, min(MOST_LINES, len(self.draw(self.size.width, MOST_LINES))))
        if self.size.height and self.size.height != high:
            self.styles.height = high
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """As many alerts as fit, and how many more there are."""
        return alert_lines(self._alerts, width, height, self.glyphs, with_keys=self._with_keys)


def alert_lines(
    alerts: Sequence[Alert], cells: int, height: int, glyphs: Glyphs, *, with_keys: bool = True
) -> list[Line]:
    """Lines of as many alerts as fit, the rest counted. Without keys: where none of them can be pressed."""
    lines: list[Line] = []
    for number, alert in enumerate(alerts):
        left = len(alerts) - number - 1
        told = alert if with_keys else replace(alert, key="", advice="")
        wrapped = _wrapped(told, cells, height - len(lines), left, glyphs)
        if wrapped is None:
            break
        lines += wrapped
    return lines


def _wrapped(alert: Alert, cells: int, most: int, left: int, glyphs: Glyphs) -> list[Line] | None:
    """The alert on at most `most` lines, its key behind it however long it is; None without any room.

    `left` others are counted behind the last one that has room.
    """
    if most < 1 or cells < NARROWEST:
        return None
    tail = f"  +{left} more" if left else ""
    key = f" ({alert.key})" if alert.key else ""
    room = cells - 3
    text = f"{glyphs.stuck} {clean(alert.text)}"
    for words in (f"{text}; {clean(alert.advice)}", text) if alert.advice else (text,):
        parts = folded(words + key, room)
        if len(parts) < most or (len(parts) == most and width(parts[-1] + tail) <= room):
            break
    else:
        parts = _cut(folded(text, room), most, room - width(key + tail), glyphs)
        parts[-1] += key
    lines: list[Line] = [((f"   {part}" if line else f" {part}", alert.role),) for line, part in enumerate(parts)]
    return [*lines[:-1], (*lines[-1], (tail, "muted"))] if left and len(lines) == most else lines


def _cut(parts: Sequence[str], most: int, room: int, glyphs: Glyphs) -> list[str]:
    """The first `most` lines, of which the last is as long as `room` allows."""
    last = fit(" ".join(parts[most - 1 :]), room, ellipsis=glyphs.ellipsis).rstrip()
    return [*parts[: most - 1], last]
