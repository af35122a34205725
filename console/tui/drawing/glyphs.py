"""Glyphs of the console in two sets: Unicode, and plain ASCII for terminals that can't be trusted.

Meaning is carried by sign and word; colour (`console.tui.drawing.theme`) only repeats it. All signs are one cell wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.telemetry.schema.messages import CheckStatus, JobState, VerdictKind


@dataclass(frozen=True, slots=True)
class StateLook:
    """Sign, code and role of a state. `code` is for narrow screens; no two are alike."""

    sign: str
    ascii: str
    code: str
    role: str


LOOKS: Final[dict[JobState, StateLook]] = {
    JobState.QUEUED: StateLook("◇", "q", "QUE", "queued"),
    JobState.SUBMITTED: StateLook("○", "o", "SUB", "submitted"),
    JobState.PENDING: StateLook("◌", ".", "PEN", "pending"),
    JobState.RUNNABLE: StateLook("◔", "r", "RBL", "runnable"),
    JobState.STARTING: StateLook("◑", "s", "STA", "starting"),
    JobState.RUNNING: StateLook("●", "R", "RUN", "running"),
    JobState.SUCCEEDED: StateLook("✓", "+", "OK", "succeeded"),
    JobState.FAILED: StateLook("✗", "x", "FAIL", "failed"),
    JobState.CANCELLED: StateLook("⊘", "c", "CAN", "cancelled"),
    JobState.UNKNOWN: StateLook("?", "?", "UNK", "unknown"),
}
"""In the order in which a job passes through them; strips and legends keep it."""


@dataclass(frozen=True, slots=True)
class CheckLook:
    """Sign, word and role of a check's result."""

    sign: str
    ascii: str
    word: str
    role: str


CHECK_LOOKS: Final[dict[CheckStatus, CheckLook]] = {
    CheckStatus.PASS: CheckLook("✓", "+", "pass", "ok"),
    CheckStatus.WARN: CheckLook("!", "!", "warn", "warning"),
    CheckStatus.FAIL: CheckLook("✗", "x", "FAIL", "error"),
    CheckStatus.UNKNOWN: CheckLook("?", "?", "unknown", "unknown"),
    CheckStatus.NOT_RUN: CheckLook("·", "-", "not run", "muted"),
}


@dataclass(frozen=True, slots=True)
class VerdictLook:
    """Sign and theme role of a verdict, by its kind alone: the sentence says the rest."""

    sign: str
    ascii: str
    role: str


VERDICT_LOOKS: Final[dict[VerdictKind, VerdictLook]] = {
    VerdictKind.HEALTHY: VerdictLook("✓", "+", "ok"),
    VerdictKind.PROGRESSING: VerdictLook("◑", "s", "starting"),
    VerdictKind.WAITING: VerdictLook("◔", "r", "queued"),
    VerdictKind.SUSPECTED: VerdictLook("!", "!", "warning"),
    VerdictKind.BLOCKED: VerdictLook("✗", "x", "error"),
    VerdictKind.FAILED: VerdictLook("✗", "x", "error"),
    VerdictKind.NOT_FOUND: VerdictLook("!", "!", "warning"),
    VerdictKind.UNDETERMINED: VerdictLook("!", "!", "warning"),
    VerdictKind.UNREADABLE: VerdictLook("?", "?", "unknown"),
}
"""What starts and what waits have the signs of jobs in those states: nothing is wrong with them."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs."""

    ascii: bool
    cursor: str
    mark: str
    stuck: str
    straggler: str
    untold: str
    """Before the function of a task that asks for resources which nobody told."""
    ellipsis: str
    unknown: str
    """Sign of an unknown value; never a 0."""
    dot: str
    times: str
    total: str
    up: str
    down: str
    arrow: str
    live: str
    spark: str
    """From lowest to highest."""
    bar_steps: str
    """From just begun to full: the cell at a bar's end."""
    bar_free: str
    shades: str
    """One per share of a stacked bar."""
    frame: str
    """Top left, top right, bottom left, bottom right, horizontal, vertical."""
    thumb: str
    """Thumb of a scroll bar."""
    waits: str
    """Time of a job that has a slot and doesn't run."""
    chosen: str
    """Time in which the selected job ran."""
    edge: str
    """First cell of a job right behind another one."""
    lost: str
    """End of a run that did not end its task."""
    failed: str
    tick: str
    """Place of a time on an axis."""

    def of(self, state: JobState) -> str:
        """Sign of a job's state."""
        style = LOOKS[state]
        return style.ascii if self.ascii else style.sign

    def of_check(self, result: CheckStatus) -> str:
        """Sign of a check's result."""
        style = CHECK_LOOKS[result]
        return style.ascii if self.ascii else style.sign

    def of_verdict(self, kind: VerdictKind) -> str:
        """Sign of a verdict."""
        style = VERDICT_LOOKS[kind]
        return style.ascii if self.ascii else style.sign


UNICODE: Final = Glyphs(
    ascii=False,
    cursor="▶",
    mark="▌",
    stuck="▲",
    straggler="⧗",
    untold="≈",
    ellipsis="…",
    unknown="–",
    dot="·",
    times="×",
    total="Σ",
    up="↑",
    down="↓",
    arrow="→",
    live="●",
    spark="▁▂▃▄▅▆▇█",
    bar_steps="▏▎▍▌▋▊▉█",
    bar_free="░",
    shades="█▓▒",
    frame="╭╮╰╯─│",
    thumb="┃",
    waits="░",
    chosen="▓",
    edge="▐",
    lost="↺",
    failed="✗",
    tick="╷",
)

ASCII: Final = Glyphs(
    ascii=True,
    cursor=">",
    mark="*",
    stuck="!",
    straggler="%",
    untold="=",
    ellipsis="~",
    unknown="-",
    dot="|",
    times="x",
    total="sum",
    up="^",
    down="v",
    arrow="->",
    live="*",
    spark="_.-:=+*#",
    bar_steps="#",
    bar_free=".",
    shades="#=:",
    frame="++++-|",
    thumb="#",
    waits="w",
    chosen="%",
    edge="[",
    lost="@",
    failed="x",
    tick="|",
)
