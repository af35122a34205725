"""A job's log for viewers, through pages that hold few or none of its lines."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.aws.batch_jobs import BatchJob
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


async def read_older(logs: Any, token: str | None, limit: int) -> LogChunk:
    return await LogStreamReader(client=logs, group="group").read_older("stream", 7.001, token, limit)


@given(
    st.lists(st.lists(st.text("ab", min_size=1, max_size=2), max_size=3), min_size=1, max_size=12), st.integers(1, 5)
)
async def test_reading_back_comes_to_the_beginning_and_leaves_nothing_out(pages: list[list[str]], limit: int) -> None:
    logs, token, lines = PagedLogs(pages), None, list[str]()
    for _ in range(30):
        chunk = await read_older(logs, token, limit)
        lines, token = said(chunk) + lines, chunk.older
        if token is None:
            break
    assert lines == [line for page in pages for line in page]


async def test_reading_back_begins_before_the_time_that_was_asked_for() -> None:
    logs = PagedLogs([["a"], ["b"]])
    await read_older(logs, None, 1)
    assert (logs.asked[0]["endTime"], logs.asked[0]["limit"]) == (7_001, 1)


async def test_the_stream_of_a_job_that_logs_to_another_group_is_read_there() -> None:
    logs = PagedLogs([["a"]])
    reader = LogStreamReader(client=cast(Any, logs), group="group")
    options = {"awslogs-group": "other"}
    container = {"logStreamName": "theirs", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    reader.note(BatchJob.parse({"jobId": "J", "status": "RUNNING", "container": container}))
    for stream in ("theirs", "stream"):
        assert said(await reader.read(stream, None)) == ["a"]
    assert list(dict.fromkeys(asked["logGroupName"] for asked in logs.asked)) == ["other", "group"]


async def test_a_job_with_another_log_driver_has_no_log_to_read() -> None:
    reader = LogStreamReader(client=cast(Any, PagedLogs([["a"]])), group="group")
    container = {"logStreamName": "theirs", "logConfiguration": {"logDriver": "splunk"}}
    reader.note(BatchJob.parse({"jobId": "J", "status": "RUNNING", "container": container}))
    assert (await reader.read("theirs", None)).status is LogStatus.MISSING


async def test_the_newest_part_says_whether_it_is_all() -> None:
    whole, part = await read(PagedLogs([["a"]]), None), await read(PagedLogs([["a"] * 5_000] * 2), None)
    assert (whole.older, part.older is None) == (None, False)
    assert whole.at_end


async def test_what_aws_refuses_leaves_the_place_to_read_back_from() -> None:
    chunk = await LogStreamReader(client=PagedLogs([]), group="").read_older("stream", 7.0, "b1", 5)  # type: ignore[arg-type]
    assert (chunk.status, chunk.older) == (LogStatus.MISSING, "b1")
