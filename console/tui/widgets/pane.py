"""Pane: a frame with a title, and lines that are compared with those before, so that only changes are painted.

A subclass implements `draw`; this class owns the frame, the diff and the theme. Data comes by the subclass's `show`,
which ends with `redraw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, ascii_only, fit_line, line_width, merge, plain, spread, width
from console.tui.drawing.theme import Styles, styles_of

SELECTED: Final = Style(reverse=True)
DIGITS: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
SMALLEST_FRAME: Final = 3
"""Lines below which there is no room for a frame around anything."""


class Pane(Widget):
    """Widget that draws `draw(width, height)` inside a frame (with `FRAMED`, when it is high enough).

    `stale` mutes everything: the values are the last that were received.
    """

    DEFAULT_CSS = """
    Pane {
        width: 1fr;
        height: 1fr;
        background: $background;
        color: $foreground;
    }
    """
    FRAMED: ClassVar[bool] = True
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.glyphs = glyphs
        self.stale = False
        self.digit = 0
        """Key that shows and hides it, in its title; 0: none."""
        self._lines: list[Line] = []

    # ---- for subclasses

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Lines inside the frame; too long ones are cut, missing ones are blank."""
        raise NotImplementedError

    def title(self) -> Line:
        """Line at the left of the upper border."""
        return EMPTY

    def status(self) -> Line:
        """Line at the right of the upper border: age, mode."""
        return EMPTY

    def footer(self) -> Line:
        """Line at the right of the lower border."""
        return EMPTY

    def thumb(self, height: int) -> range:
        """Inner lines with the scroll bar's thumb at their right."""
        return range(0)

    # ---- for callers

    @property
    def lines(self) -> list[Line]:
        """Lines on the screen, with the frame."""
        return self._lines

    @property
    def text(self) -> str:
        """Text on the screen, with the frame."""
        return "\n".join(plain(line) for line in self._lines)

    @property
    def framed(self) -> bool:
        """True when the frame is drawn."""
        return self.FRAMED and self.size.height >= SMALLEST_FRAME

    @property
    def inner_height(self) -> int:
        """Lines inside the frame."""
        return self.size.height - 2 if self.framed else self.size.height

    @property
    def inner_width(self) -> int:
        """Cells inside the frame."""
        return self.size.width - 2 if self.framed else self.size.width

    def redraw(self) -> None:
        """Draw anew, and ask for a repaint of the lines, and the parts of lines, that differ."""
        if not self.size or not self.is_attached:
            return
        before, self._lines = self._lines, self._all_lines()
        if len(before) != len(self._lines):
            self.refresh()
            return
        changed = [
            Region(begin, y, end - begin, 1)
            for y, (old, new) in enumerate(zip(before, self._lines, strict=True))
            if old != new
            for begin, end in (_difference(old, new),)
        ]
        if changed:
            self.refresh(*changed)

    # ---- Textual

    def on_mount(self) -> None:
        """Repaint whenever the theme changes."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.refresh())

    def on_resize(self) -> None:
        """Draw anew in the new size."""
        self._lines = []
        self.redraw()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Redraw the frame in the focus's colour, or without it."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Style the spans of one line."""
        styles = self._styles()
        if y >= len(self._lines):
            return Strip.blank(self.size.width, styles[""])
        segments = [Segment(text, styles[role]) for text, role in self._lines[y]]
        strip = Strip(segments, self.size.width)
        return self._selectable(strip, y) if self.ALLOW_SELECT else strip

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Text that the mouse selected, without the frame."""
        text = selection.extract(self.text)
        side = self.glyphs.frame[-1] + self.glyphs.thumb
        return "\n".join(line.strip(side).rstrip() for line in text.splitlines()), "\n"

    def _selectable(self, strip: Strip, y: int) -> Strip:
        span = self.text_selection.get_span(y) if self.text_selection else None
        if span is not None:
            begin, end = span[0], span[1] if span[1] >= 0 else strip.cell_length
            strip = Strip.join(
                [strip.crop(0, begin), strip.crop(begin, end).apply_style(SELECTED), strip.crop(end, strip.cell_length)]
            )
        return strip.apply_offsets(0, y)

    def _styles(self) -> Styles:
        return styles_of(self.app.theme, self.app.current_theme.dark)

    # ---- the frame

    def _all_lines(self) -> list[Line]:
        wide, high = self.inner_width, self.inner_height
        inside = [fit_line(line, wide, ellipsis=self.glyphs.ellipsis) for line in list(self.draw(wide, high))[:high]]
        inside += [fit_line(EMPTY, wide)] * (high - len(inside))
        if self.stale:
            inside = [tuple((text, _muted(role)) for text, role in line) for line in inside]
        lines = self._in_frame(inside) if self.framed else inside
        return [_in_ascii(line) for line in lines] if self.glyphs.ascii else lines

    def _in_frame(self, inside: Sequence[Line]) -> list[Line]:
        role = "focus" if self.has_focus else "frame"
        top_left, top_right, bottom_left, bottom_right, flat, side = tuple(self.glyphs.frame)
        edge: Span = (side, role)
        thumb = self.thumb(len(inside))
        body = [
            merge((edge, *line, (self.glyphs.thumb, role) if y in thumb else edge)) for y, line in enumerate(inside)
        ]
        return [
            self._border(top_left, top_right, flat, role, self._numbered(self.title()), self.status()),
            *body,
            self._border(bottom_left, bottom_right, flat, role, EMPTY, self.footer()),
        ]

    def _numbered(self, title: Line) -> Line:
        """Title behind the digit of the pane."""
        if not self.digit or not title:
            return title
        digit = f"{self.digit} " if self.glyphs.ascii else DIGITS[self.digit]
        return ((digit, "key"), *title)

    def _border(self, left: str, right: str, flat: str, role: str, title: Line, status: Line) -> Line:
        room = self.size.width - 4
        label = ((" ", role), *title, (" ", role)) if title else EMPTY
        note = ((" ", role), *status, (" ", role)) if status else EMPTY
        if line_width(label) + line_width(note) > room:
            note = (
                EMPTY if label and line_width(label) >= room else fit_line(note, max(0, room - line_width(label)), role)
            )
        label = fit_line(label, min(line_width(label), room), role)
        middle = spread(label, note, room, (flat, role))
        return merge(((left + flat, role), *middle, (flat + right, role)))


def _in_ascii(line: Line) -> Line:
    return tuple((ascii_only(text), role) for text, role in line)


def _muted(role: str) -> str:
    return "muted cursor" if role.endswith("cursor") else "muted"


def _difference(old: Line, new: Line) -> tuple[int, int]:
    """Columns from the first to the last that differ, by whole spans."""
    begin = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        begin += width(one[0])
    wide = line_width(new)
    end = wide
    for one, other in zip(reversed(old), reversed(new), strict=False):
        if one != other or end - width(one[0]) <= begin:
            break
        end -= width(one[0])
    return (begin, end) if begin < end else (0, wide)
