"""Top bar, the first line of every screen: breadcrumbs, manager, engine, access mode, and the one light.

The light is the worst of the link to the engine and of all that the engine lives from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.spans import Line, Span, line_width, spread
from console.tui.widgets.pane import Pane
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import Light, LightState, LinkId

AMBER_S: Final = 3.0
_OPEN_LINK: Final = {LinkState.LIVE: "ok", LinkState.CONNECTING: "warning"}


PARTS: Final[Mapping[str, str]] = {
    LinkId.CREDENTIALS: "CREDENTIALS",
    LinkId.SCHEDULER: "SCHEDULER",
    LinkId.OBJECT_STORAGE: "STORAGE",
    LinkId.S3: "S3",
    LinkId.LEASE: "LEASE",
    LinkId.BATCH: "BATCH READS",
    LinkId.SUBMITS: "SUBMITS",
    LinkId.BUDGET: "BUDGET",
}
"""Names of what the light is about, short enough for the bar."""


class AccessMode(StrEnum):
    """Permission of this console, as the bar shows it."""

    READ_ONLY = "READ-ONLY"
    READ_WRITE = "READ-WRITE"

    @property
    def short(self) -> str:
        """Two letters for narrow screens."""
        return "RW" if self is AccessMode.READ_WRITE else "RO"


@dataclass(frozen=True, slots=True)
class BarState:
    """Content of the bar. `age_s`: of the newest snapshot; `clock_at` is a time of day."""

    trail: tuple[str, ...] = ()
    where: str = ""
    manager: str = ""
    engine: str = ""
    link: LinkView = LinkView(LinkState.CONNECTING, 0.0)  # noqa: RUF009 - frozen
    age_s: float | None = None
    mode: AccessMode = AccessMode.READ_ONLY
    note: str = ""
    clock_at: float = 0.0
    light: Light = Light()  # noqa: RUF009 - frozen
    light_age_s: float | None = None


class TopBar(Pane):
    """One line; what doesn't fit goes from the left part first, never the link's state."""

    DEFAULT_CSS = "TopBar { height: 1; }"
    FRAMED = False

    state = BarState()

    def show(self, state: BarState) -> None:
        """Set the content."""
        self.state = state
        self.redraw()

    def draw(self, width: int, height: int) -> list[Line]:
        """The longest left part that fits, and the right part."""
        right = self._right(self.state.note, narrow=width < 100)
        if line_width(right) > width:
            right = self._right("", narrow=True)
        for left in self._lefts():
            if line_width(left) + line_width(right) < width:
                return [spread(left, right, width)]
        return [spread((), right, width)]

    def _lefts(self) -> list[list[Span]]:
        """Left parts from the longest to the shortest."""
        state, dot = self.state, f" {self.glyphs.dot} "
        head: list[Span] = [(" BATCH", "strong")]
        sign: Span = (" > " if self.glyphs.ascii else " › ", "muted")
        trail: list[Span] = [span for step in state.trail for span in (sign, (clean(step), "text"))]
        manager: list[Span] = [(dot, "muted"), (clean(state.manager), "accent")] if state.manager else []
        where: list[Span] = [(dot, "muted"), (clean(state.where), "text")] if state.where else []
        trip = state.link.round_trip_s
        engine: list[Span] = [(dot + "engine ", "muted"), (clean(state.engine), "text")] if state.engine else []
        latency: list[Span] = [(f" {format.milliseconds(trip * 1000)}", "muted")] if engine and trip else []
        return [
            [*head, *trail, *manager, *where, *engine, *latency],
            [*head, *trail, *manager, *where],
            [*head, *trail, *manager],
            [*head, *trail],
            head,
        ]

    def _right(self, note: str, narrow: bool) -> list[Span]:
        state = self.state
        mode = state.mode.short if narrow else state.mode.value
        noted: list[Span] = [(clean(note) + "  ", "warning")] if note else []
        role = "strong" if state.mode is AccessMode.READ_WRITE else "muted"
        return [*noted, (mode + "  ", role), *self._link(narrow), (f"  {format.clock(state.clock_at)} ", "muted")]

    def _link(self, narrow: bool) -> list[Span]:
        link, age = self.state.link, self.state.age_s
        if link.state is LinkState.REFUSED:
            return [("REFUSED", "error")]
        if link.state is not LinkState.LIVE:
            words = link.detail or link.state.value
            return [(clean(words if not narrow else words.split(",")[0]), _OPEN_LINK.get(link.state, "error"))]
        if link.detail:
            return [(clean(link.detail), "accent strong")]
        if (light := self.state.light).state is not LightState.OK:
            return [self._bad_light(light, narrow)]
        late = age is not None and age > AMBER_S
        shown = "" if age is None or age < 1.5 else f" {format.age(age)}"
        return [(f"{self.glyphs.live} LIVE{shown}", "warning" if late else "ok")]

    def _bad_light(self, light: Light, narrow: bool) -> Span:
        age = self.state.light_age_s
        since = "" if age is None or narrow else f" {format.age(age)}"
        word, role = light_word(light)
        return f"{self.glyphs.stuck} {word}{since}", role


def light_word(light: Light) -> Span:
    """Words for a light that isn't OK: which part is down or degraded."""
    part = PARTS.get(light.part) or clean(light.name).upper()
    word, role = ("DOWN", "error") if light.state is LightState.DOWN else ("DEGRADED", "warning")
    if light.part == LinkId.BUDGET:
        word = "SPENT"
    return f"{part} {word}", role
