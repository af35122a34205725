"""The resources screen, opened and waited for: what its tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.screens.resources import ResourcesScreen
from console.tui.stack.model import Provisioning
from console.tui.state import Quit
from tests.support.console.running_app import WatchedSource, beats, running

DEADLINE_S = 60.0
POLL_S = 0.01


@asynccontextmanager
async def on_screen(
    known: Provisioning, source: WatchedSource
) -> AsyncIterator[tuple[ConsoleApp, Pilot[Quit], Provisioning]]:
    """Before anything was read."""
    async with running(source, provisioning=known) as (app, pilot):
        await pilot.press("R")
        assert isinstance(app.top_screen, ResourcesScreen)
        yield app, pilot, known


async def until(app: ConsoleApp, pilot: Pilot[Quit], true: Callable[[], object]) -> None:
    """Beats until it is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await beats(app, pilot)
            await asyncio.sleep(POLL_S)
    await beats(app, pilot)


async def in_time(true: Callable[[], object]) -> None:
    """The same, where no screen needs to be kept going."""
    for _ in range(int(DEADLINE_S / POLL_S)):
        if true():
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError


async def read(app: ConsoleApp, pilot: Pilot[Quit], known: Provisioning) -> ResourcesScreen:
    await until(app, pilot, lambda: not known.outdated and known.reading is None)
    assert isinstance(app.top_screen, ResourcesScreen)
    return app.top_screen


def toasts(app: ConsoleApp) -> str:
    return "\n".join(note.message for note in app._notifications)
