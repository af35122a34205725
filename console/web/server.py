"""Web server of `scaler-batch attach --web`: the page, its files, and a websocket to a console for each visitor.

It listens on loopback only. Whoever has the address may look: a token that can't be guessed is part of every path that
shows anything, so neither another user of this machine nor another site's page in the same browser gets in. What the
page needs comes from here (textual-serve's own template asks another host for its font).
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from aiohttp import web

from console.web.visitor import VisitorConsole
from engine.errors import ConfigError

HOST: Final = "127.0.0.1"
PAGE: Final = Path(__file__).with_name("page")
MAX_VISITORS: Final = 8
"""Each is a process of about 65 MB."""
MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""Of one message of a browser: what a person types or pastes."""
END_S: Final = 10.0
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""The terminal in the page sets styles on its elements; everything else stays with this server."""


class ConsoleServer:
    """Server of one console command. `address` is what a person opens."""

    def __init__(self, command: Sequence[str], listening: socket.socket, token: str) -> None:
        self._command = tuple(command)
        self._listening = listening
        self._token = token
        self._visitors: set[web.WebSocketResponse] = set()

    @property
    def address(self) -> str:
        """Address with the token in it."""
        return f"http://{HOST}:{self._listening.getsockname()[1]}/{self._token}/"

    def application(self) -> web.Application:
        """Make the routes. A wrong token finds nothing, as any unknown path."""
        app = web.Application(middlewares=[add_headers])
        app.add_routes(
            [
                web.get("/{token}/", self._index),
                web.get("/{token}/ws", self._visit),
                web.static("/page", PAGE),
                web.static("/static", Path(str(files("textual_serve") / "static"))),
            ]
        )
        app.on_shutdown.append(self._close_visitors)
        return app

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until SIGINT or SIGTERM; `ready` gets the address once it answers. No console is left."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=END_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listening).start()
            ready(self.address)
            await ended.wait()
        finally:
            await runner.cleanup()

    def _check(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.match_info["token"].encode(), self._token.encode()):
            raise web.HTTPNotFound

    async def _index(self, request: web.Request) -> web.FileResponse:
        self._check(request)
        return web.FileResponse(PAGE / "index.html")

    async def _visit(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        if len(self._visitors) >= MAX_VISITORS:
            raise web.HTTPServiceUnavailable(
                text=f"{MAX_VISITORS} visitors are here already: close one of their pages."
            )
        websocket = web.WebSocketResponse(heartbeat=15, max_msg_size=MAX_MESSAGE_BYTES)
        self._visitors.add(websocket)
        try:
            await websocket.prepare(request)
            await VisitorConsole(self._command, websocket).follow(
                size(request, "width", 80), size(request, "height", 24)
            )
        finally:
            self._visitors.discard(websocket)
        return websocket

    async def _close_visitors(self, app: web.Application) -> None:
        for websocket in tuple(self._visitors):
            await websocket.close(message=b"the server ends")


@web.middleware
async def add_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Add the headers that keep the page to this server, and its address out of others' logs."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        refusal.headers.update(HEADERS)
        raise
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def size(request: web.Request, name: str, usual: int) -> int:
    """Read a size in cells from the query; `usual` when it isn't there or no number."""
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else usual


def listen(port: int) -> socket.socket:
    """Listen on loopback; port 0 takes any free one. Raises `ConfigError` when the port can't be had."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ConfigError(f"port {port} can't be listened on ({error.strerror}): give another one, or none.") from error


def serve(command: Sequence[str], port: int, ready: Callable[[str], None]) -> None:
    """Serve a console command on loopback until a signal ends it. Raises `ConfigError`."""
    with listen(port) as listening:
        asyncio.run(ConsoleServer(command, listening, secrets.token_urlsafe(24)).run(ready))
