"""Pictures of frozen consoles: sizes, and how a look is compared with the expected picture."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.state import Quit
from tests.support.console.frozen_console import Look, settle

SMALL, LARGE = (80, 24), (120, 40)
SIZES = [pytest.param(SMALL, id="80x24"), pytest.param(LARGE, id="120x40", marks=pytest.mark.long)]
Size = tuple[int, int]
Matches = Callable[..., bool]
Then = Callable[[ConsoleApp], None]
ANSWERED = ""
"""Among keys: until what was asked for is there."""


def comparing(snap_compare: Matches) -> Matches:
    """Whether the picture of a look is the expected one, after `keys` were pressed and `then` was done."""

    def compare(look: Look, size: Size, keys: Sequence[str] = (), then: Then = lambda app: None) -> bool:
        return snap_compare(look.app(), terminal_size=size, run_before=prepare(keys, then))

    return compare


def prepare(keys: Sequence[str], then: Then) -> Callable[[Pilot[Quit]], Awaitable[None]]:
    async def run(pilot: Pilot[Quit]) -> None:
        await settle(pilot)
        for key in keys:
            await (settle(pilot) if key == ANSWERED else pilot.press(key))
        assert isinstance(pilot.app, ConsoleApp)
        then(pilot.app)
        await settle(pilot)

    return run
