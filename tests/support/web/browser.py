"""Headless Chromium with the console's page in it, driven by its DevTools protocol.

What the page shows is drawn on a canvas, so its text is what came through its websocket, put on a terminal's screen;
that it was drawn is seen in the picture.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pyte
import pytest

PROGRAM: Final = "chromium"
INSTALL: Final = "apt-get install --no-install-recommends chromium"
PATIENCE_S: Final = 60.0
WIDTH, HEIGHT = 1200, 760


def require_browser() -> str:
    """Path of Chromium. Skips where there is none; with CI in the environment the test fails there instead."""
    if path := shutil.which(PROGRAM):
        return path
    if os.environ.get("CI"):
        pytest.fail(f"no {PROGRAM} on the PATH: {INSTALL}")
    pytest.skip(f"needs {PROGRAM}: {INSTALL}")


class Page:
    """One page, from its opening to its closing."""

    def __init__(self, devtools: aiohttp.ClientWebSocketResponse) -> None:
        self._devtools = devtools
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._screen = pyte.Screen(200, 60)
        self._stream = pyte.ByteStream(self._screen)
        self._drawn = asyncio.Event()
        self.requested: list[str] = []

    async def listen(self) -> None:
        """Take what DevTools tells until the page is closed."""
        async for message in self._devtools:
            event = json.loads(message.data)
            match event:
                case {"id": int(number)}:
                    self._answers.pop(number).set_result(event.get("result", {}))
                case {"method": "Network.webSocketFrameReceived", "params": {"response": {"opcode": 2, **frame}}}:
                    self._stream.feed(base64.b64decode(str(frame["payloadData"])))
                    self._drawn.set()
                case {"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}}:
                    self.requested.append(url)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Call a DevTools method; returns its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._devtools.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, PATIENCE_S)

    async def press(self, key: str) -> None:
        """Press a key that writes a letter."""
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, **({"text": key} if kind == "keyDown" else {})
            )

    async def press_escape(self) -> None:
        """Press escape, which writes nothing."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key="Escape", windowsVirtualKeyCode=27)

    def text(self) -> str:
        """Text of the console on the page."""
        return "\n".join(self._screen.display)

    async def shows(self, told: Callable[[str], bool]) -> str:
        """Wait until the console's text fits; returns it. Raises `AssertionError` with the text when it never does."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not told(self.text()):
                    self._drawn.clear()
                    await self._drawn.wait()
        except TimeoutError:
            raise AssertionError(f"never shown; last:\n{self.text()}") from None
        return self.text()

    async def picture(self) -> bytes:
        """PNG of what the page shows, once what it got so far is drawn."""
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        await self.call("Runtime.evaluate", expression=frames, awaitPromise=True)
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])


class Browser:
    """Running Chromium."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._port = port

    @asynccontextmanager
    async def open(self, address: str) -> AsyncIterator[Page]:
        """Open an address in a page of its own."""
        base = f"http://127.0.0.1:{self._port}/json"
        async with self._session.put(f"{base}/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        async with self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as devtools:
            page = Page(devtools)
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(page.listen())
                for domain in ("Network", "Page"):
                    await page.call(f"{domain}.enable")
                await page.call("Page.navigate", url=address)
                try:
                    yield page
                finally:
                    async with self._session.get(f"{base}/close/{target['id']}"):
                        listening.cancel()


@asynccontextmanager
async def browser(program: str, folder: Path) -> AsyncIterator[Browser]:
    """Start Chromium with an empty profile; it has ended afterwards."""
    words = (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", f"--window-size={WIDTH},{HEIGHT}", "about:blank",
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(program, *words, stdout=DEVNULL, stderr=asyncio.subprocess.PIPE)
    try:
        port = await _devtools_port(process)
        async with aiohttp.ClientSession() as session:
            yield Browser(session, port)
    finally:
        process.terminate()
        await process.wait()


async def _devtools_port(process: Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        async for line in process.stderr:
            if line.startswith(b"DevTools listening on "):
                return int(line.split(b":")[2].split(b"/")[0])
    raise AssertionError("Chromium ended before it listened")
