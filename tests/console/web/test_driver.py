"""The driver of a visitor's console."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from threading import Thread

import pytest
from textual.app import App
from textual.events import Resize
from textual.geometry import Size

from console.web.driver import VisitorDriver


class Sizes(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.seen = list[Size]()

    def on_resize(self, event: Resize) -> None:
        self.seen.append(event.size)


@pytest.fixture
def _stdin_is_a_pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As it is of a visitor's console."""
    reading, writing = os.pipe()
    with open(reading) as stdin, open(writing, "wb"):
        monkeypatch.setattr(sys, "__stdin__", stdin)
        yield


@pytest.mark.usefixtures("_stdin_is_a_pipe")
async def test_a_resize_while_the_console_starts_comes_after_the_size_at_its_start() -> None:
    app, at_start = Sizes(), Size(80, 24)
    async with app.run_test() as pilot:
        app.seen.clear()
        driver = VisitorDriver(app)
        driver.send_message(Resize(at_start, at_start))  # as `start_application_mode` does
        reader = Thread(target=driver.on_meta, args=("resize", {"width": 120, "height": 40}))
        reader.start()
        reader.join()  # before the event loop turns
        await asyncio.sleep(0)
        await pilot.pause()
        assert app.seen[-1] == Size(120, 40)
