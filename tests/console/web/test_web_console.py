"""`attach --web` as a process: who gets a console, what a browser shows of it, and what is left afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

from console.web.server import HEADERS, MAX_VISITORS
from tests.support.web.browser import browser, require_browser
from tests.support.web.served_console import WebConsole

SIZE = "?width=120&height=40"
ODD_MESSAGES = ("", "{", "[]", '["stdin", 3]', '["resize", {"width": "x"}]', '["resize", {"width": -5, "height": 0}]')
pytestmark = [pytest.mark.xdist_group("web_console"), pytest.mark.long]


async def read_until(websocket: aiohttp.ClientWebSocketResponse, wanted: bytes) -> bytes:
    drawn = b""
    async with asyncio.timeout(60):
        while wanted not in drawn:
            drawn += await websocket.receive_bytes()
    return drawn


async def test_a_wrong_token_finds_neither_page_nor_console(web_console: WebConsole) -> None:
    host = urlsplit(web_console.address).netloc
    async with aiohttp.ClientSession() as session:
        for path in ("", "wrong/", "wrong/ws", "static/", "page/", f"{'é' * 32}/"):
            async with session.get(f"http://{host}/{path}") as answer:
                assert answer.status in (403, 404), path


async def test_the_page_stays_with_its_server_and_out_of_frames(web_console: WebConsole) -> None:
    async with aiohttp.ClientSession() as session, session.get(web_console.address) as answer:
        assert answer.status == 200
        assert HEADERS.items() <= answer.headers.items()
        assert "http" not in (await answer.text()).replace("http-equiv", "")


async def test_a_visitor_gets_a_console_that_ends_when_he_leaves(web_console: WebConsole) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{web_console.address}ws{SIZE}") as websocket:
            await read_until(websocket, b"READ-ONLY")
            consoles = web_console.consoles()
        _, alive = await asyncio.to_thread(psutil.wait_procs, consoles, 60)
        assert (len(consoles), alive) == (1, [])


async def test_odd_messages_and_sizes_end_no_console(web_console: WebConsole) -> None:
    async with aiohttp.ClientSession() as session:
        address = f"{web_console.address}ws?width=99999999999&height=-3"
        async with session.ws_connect(address) as websocket:
            for odd in ODD_MESSAGES:
                await websocket.send_str(odd)
            await websocket.send_bytes(b"\xff")
            await websocket.send_json(["resize", {"width": 120, "height": 40}])
            await read_until(websocket, b"READ-ONLY")


async def test_a_console_that_is_left_closes_its_page(web_console: WebConsole) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{web_console.address}ws{SIZE}") as websocket:
        await read_until(websocket, b"READ-ONLY")
        await websocket.send_json(["stdin", "q"])
        async with asyncio.timeout(60):
            async for _ in websocket:
                pass
        assert websocket.closed


async def test_more_visitors_than_may_be_are_refused(web_console: WebConsole) -> None:
    async with aiohttp.ClientSession() as session:
        visits = [session.ws_connect(f"{web_console.address}ws") for _ in range(MAX_VISITORS + 1)]
        answers = await asyncio.gather(*visits, return_exceptions=True)
    refused = [answer.status for answer in answers if isinstance(answer, aiohttp.WSServerHandshakeError)]
    assert 503 in refused


async def test_a_browser_shows_the_dashboard_and_its_keys_work(web_console: WebConsole, tmp_path: Path) -> None:
    async with browser(require_browser(), tmp_path) as chromium, chromium.open(web_console.address) as page:
        assert "READ-ONLY" in await page.shows(lambda text: "RUNNING" in text)
        dashboard = await page.picture()
        await page.press("?")
        await page.shows(lambda text: "esc closes" in text)
        assert await page.picture() != dashboard
        host = urlsplit(web_console.address).netloc
        assert {urlsplit(url).netloc for url in page.requested} <= {host, ""}


async def test_a_second_visitor_does_not_disturb_the_first(web_console: WebConsole, tmp_path: Path) -> None:
    async with browser(require_browser(), tmp_path) as chromium, chromium.open(web_console.address) as first:
        await first.shows(lambda text: "RUNNING" in text)
        await first.press("?")
        await first.shows(lambda text: "esc closes" in text)
        async with chromium.open(web_console.address) as second:
            assert "esc closes" not in await second.shows(lambda text: "RUNNING" in text)
            await second.press("q")
        assert "esc closes" in first.text()
        await first.press_escape()
        await first.shows(lambda text: "esc closes" not in text)
