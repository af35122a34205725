"""Visitor of the web console: one process with a console of its own, between a websocket and its two pipes."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType
from aiohttp.web import WebSocketResponse
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

END_S: Final = 5.0
"""How long a console may take to end after its visitor left."""
MAX_COLUMNS: Final = 1000
MAX_ROWS: Final = 500
DRIVER: Final = {"TEXTUAL_DRIVER": "console.web.driver:VisitorDriver"}


class VisitorConsole(AppService):
    """Console process of one visitor, started as a list of words, never through a shell."""

    def __init__(self, command: Sequence[str], websocket: WebSocketResponse) -> None:
        self._words = tuple(command)
        self._websocket = websocket
        super().__init__(
            self._words[0],
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=self._hang_up,
            download_manager=DownloadManager(),
        )

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._words, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._build_environment(width, height) | DRIVER
        )
        assert process.stdin is not None
        self._stdin = process.stdin
        return process

    async def run(self) -> None:
        """Pass on what the console draws until it ends, however it does; then the page says so."""
        try:
            await super().run()
        finally:
            await self._hang_up()

    async def _hang_up(self) -> None:
        await self._websocket.close()

    async def follow(self, width: int, height: int) -> None:
        """Run the console until its visitor leaves, or it ends by itself; then nothing of it is left."""
        await self.start(bounded(width, MAX_COLUMNS), bounded(height, MAX_ROWS))
        try:
            async for message in self._websocket:
                if message.type is WSMsgType.TEXT:
                    await self._take(message.data)
        finally:
            await asyncio.shield(self._end())

    async def _take(self, text: str) -> None:
        match parse(text):
            case ["stdin", str(keys)]:
                await self.send_bytes(keys.encode())
            case ["resize", {"width": int(width), "height": int(height)}]:
                await self.set_terminal_size(bounded(width, MAX_COLUMNS), bounded(height, MAX_ROWS))
            case ["ping", value]:
                await self._websocket.send_json(["pong", value])
            case ["focus"]:
                await self.focus()
            case ["blur"]:
                await self.blur()

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(END_S):
                await self.stop()
        except TimeoutError:
            pass
        finally:
            if (process := self._process) is not None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def parse(text: str) -> object:
    """Parse a browser's message; None for what is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def bounded(cells: int, most: int) -> int:
    """Bound a size that a browser claims, in cells."""
    return min(max(cells, 1), most)
