"""A job's log for viewers, through pages that hold few or none of its lines."""

from __future__ import annotations

from typing import Any

import pytest

from engine.backends.batch.introspect.log_stream import PAGES_AT_ONCE, LogStreamReader
from engine.model import LogChunk, LogStatus
from tests.support.engine.paged_logs import PagedLogs


async def read(logs: Any, token: str | None) -> LogChunk:
    return await LogStreamReader(client=logs, group="group").read("stream", token)


def said(chunk: LogChunk) -> list[str]:
    return [event.text for event in chunk.events]


@pytest.mark.parametrize("pages", [[["a", "b"], []], [["a"], [], ["b"]], [["a", "b"], [], []]])
async def test_the_newest_part_is_read_back_through_empty_pages(pages: list[list[str]]) -> None:
    logs = PagedLogs(pages)
    chunk = await read(logs, None)
    assert (said(chunk), chunk.token) == (["a", "b"], f"f{len(pages)}")


async def test_an_empty_stream_keeps_the_question_open() -> None:
    chunk = await read(PagedLogs([[]]), None)
    assert (said(chunk), chunk.token, chunk.status) == ([], None, LogStatus.WAITING)


async def test_what_came_since_is_read_on_through_empty_pages() -> None:
    logs = PagedLogs([["a"], [], [], ["b"]])
    chunk = await read(logs, "f1")
    assert (said(chunk), chunk.token) == (["b"], "f4")


async def test_a_read_is_bounded_and_goes_on_where_it_ended() -> None:
    logs = PagedLogs([["a"], *([] for _ in range(8)), ["b"]])
    first = await read(logs, "f1")
    assert (said(first), logs.calls) == ([], PAGES_AT_ONCE)
    assert said(await read(logs, first.token)) == ["b"]
