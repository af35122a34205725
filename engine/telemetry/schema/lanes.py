"""Lanes: what ran when, a lane a slot, a host or a function. Import from `engine.telemetry.schema.messages`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

LANES_LIMIT: Final = 200
"""Lanes of one answer at most: more fit on no screen."""
CELLS_LIMIT: Final = 500
"""Cells of time of one lane at most."""


class LaneBy(StrEnum):
    """What a lane stands for."""

    SLOT = "slot"
    HOST = "host"
    FUNCTION = "function"


class LaneSpan(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Cells of a lane that are alike. An array on the wire: append new fields at the end only."""

    cell: int
    """The first of them."""
    cells: int
    busy: float
    """Jobs that ran, on the average."""
    waiting: float
    """Jobs that had a slot and did not run: they waited at AWS or started."""
    failed: int
    """Jobs that failed there."""
    lost: int
    """Runs that ended there without ending their task: the host was taken away, or the task is sent again."""
    task_id: str
    """One of the jobs: one that failed there, else one that began there, else one that goes on; empty: none."""


class JobLane(msgspec.Struct, frozen=True, omit_defaults=True):
    """One lane. Cells that no span covers are empty."""

    manager: str
    key: str
    """Number of a slot, name of a host or a function; empty: not told."""
    jobs: int
    """Jobs that were in it within the time that was asked for."""
    spans: tuple[LaneSpan, ...]


class GetLanes(msgspec.Struct, frozen=True, tag=True):
    """Get the lanes `offset` to `offset + limit` in `cells` cells of `cell_s` seconds from `start` on.

    Answered with `Lanes`. Slots come by number, hosts and functions in the order in which they were first needed.
    """

    start: float
    """Seconds since the epoch."""
    cell_s: float
    cells: int
    by: str = LaneBy.SLOT
    filter: str = ""
    manager: str = ""
    """Empty: all managers."""
    offset: int = 0
    limit: int = LANES_LIMIT


class Lanes(msgspec.Struct, frozen=True, tag=True):
    """Lanes as they were asked for. Jobs whose rows aged out are in none."""

    by: str
    start: float
    cell_s: float
    cells: int
    lanes: tuple[JobLane, ...]
    matching: int
    """Number of lanes, those off the screen included: of any time, so that none comes and goes with the time shown."""
    at: float
    first: float | None
    """When the first of all jobs that fit got its slot; None without any."""
    last: float | None
    """When the last of them ended; the present while one is under way."""
