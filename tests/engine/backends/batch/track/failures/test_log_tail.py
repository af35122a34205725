"""The last lines of a failed job's log, through pages that hold few or none of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from container.batch_job_quoting import speaker_line
from container.batch_job_wire.results import OutputMark
from engine.backends.batch.track.failures.log_tail import TAIL_PAGES, LogTail
from tests.support.engine.paged_logs import PagedLogs
from tests.support.runner.log_lines import runner_line


async def tail_of(logs: Any) -> str:
    return await LogTail(client=logs).read("group", "stream")


@pytest.mark.parametrize("pages", [[["a", "b"], []], [["a"], [], [], ["b"]], [["a", "b"], [], [], []]])
async def test_empty_and_partly_full_pages_are_not_the_end(pages: list[list[str]]) -> None:
    assert await tail_of(PagedLogs(pages)) == "a\nb"


async def test_pages_are_read_until_there_are_enough_lines() -> None:
    logs = PagedLogs([[f"{page}-{line}" for line in range(15)] for page in range(9)])
    lines = (await tail_of(logs)).splitlines()
    assert (len(lines), lines[0], lines[-1], logs.calls) == (20, "7-10", "8-14", 2)


async def test_a_stream_without_end_is_read_for_a_bounded_number_of_pages() -> None:
    logs = PagedLogs([["far away"], *([] for _ in range(1_000))])
    assert await tail_of(logs) == ""
    assert logs.calls == TAIL_PAGES


async def test_an_odd_answer_hides_no_reason(caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        async def call(self, operation: object, **arguments: object) -> dict[str, object]:
            return {}

    assert await tail_of(Odd()) == "(the log can't be read: KeyError)"


async def test_marks_of_streamed_output_take_no_place_of_a_line() -> None:
    mark = runner_line(OutputMark("0" * 32, 1, 2, 0, (("o", 1),), 7).encode())
    assert await tail_of(PagedLogs([["a", mark, "b"]])) == "a\nb"


async def test_of_a_job_that_runs_several_at_once_only_the_tasks_own_lines_are_read() -> None:
    one, other = "1" * 32, "2" * 32
    begins = [speaker_line(task, 1).rstrip() for task in (one, other)]
    ends = runner_line(f"task {one}: died")
    logs = PagedLogs(
        [["nobody's", begins[0], "mine"], [begins[1], "other's", begins[0], "mine, too", ends, "nobody's"]]
    )
    tail = await LogTail(client=cast("Any", logs)).read("group", "stream", bytes.fromhex(one))
    assert tail.splitlines() == ["mine", "mine, too", ends]
