"""The log of a packed job: each task's lines are its own, read forwards, backwards, and from the middle."""

from __future__ import annotations

import pytest

from container.batch_job_wire.results import OutputMark
from engine.model import LogEvent
from engine.telemetry.schema.messages import GetLogs
from engine.telemetry.server.logs.speakers import Speakers
from tests.support.engine.managed_tasks import id_of
from tests.support.engine.watched_logs import NEWEST_AT, running
from tests.support.runner.log_lines import runner_line

FIRST, SECOND, OTHER = (id_of(number).hex() for number in (1, 2, 3))


def begin(task: str) -> str:
    return f"scaler-batch-runner: task {task}: attempt 1, 900 bytes of payload"


def end(task: str) -> str:
    return f"scaler-batch-runner: task {task}: success (result) while calling, ran 0.100 s, 200 bytes written in 0.01 s"


def whose(*lines: str, speakers: Speakers | None = None) -> list[str]:
    events = [LogEvent(1.0, line, 1.0) for line in lines]
    return [line.task_id for line in (speakers or Speakers(OTHER)).lines(events)]


def test_what_is_written_between_a_tasks_begin_and_its_end_is_its_own() -> None:
    lines = (
        "a pack: entries 0 to 1",
        begin(FIRST),
        "one",
        end(FIRST),
        "between",
        begin(SECOND),
        "two\nmore",
        end(SECOND),
    )
    assert whose(*lines) == [OTHER, FIRST, FIRST, FIRST, OTHER, SECOND, SECOND, SECOND, SECOND]


def test_a_read_that_begins_in_the_middle_of_a_task_knows_it_by_its_end() -> None:
    assert whose("one", "two", end(FIRST), begin(SECOND), "three") == [FIRST, FIRST, FIRST, SECOND, SECOND]


def test_a_task_goes_on_in_the_next_read() -> None:
    speakers = Speakers(OTHER)
    whose(begin(FIRST), speakers=speakers)
    assert whose("one", end(FIRST), "after", speakers=speakers) == [FIRST, FIRST, OTHER]


def test_where_nobody_says_who_speaks_it_is_the_jobs_task() -> None:
    assert whose("one", "two") == [OTHER, OTHER]


def test_marks_of_streamed_output_are_shown_to_nobody() -> None:
    mark = runner_line(OutputMark(FIRST, 1, 4, 0, (("o", 1),), 7).encode())
    assert whose(begin(FIRST), "one", mark, "two", end(FIRST)) == [FIRST] * 4


@pytest.mark.parametrize(("number", "told"), [(1, ["one"]), (2, ["two"])])
async def test_the_log_of_a_packed_task_has_no_lines_of_its_mates(number: int, told: list[str]) -> None:
    lines = (begin(FIRST), "one", end(FIRST), begin(SECOND), "two", end(SECOND))
    async with running() as place:
        place.job(1, *lines, stream="shared")
        place.job(2, *lines, stream="shared")
        page = await place.until(GetLogs((id_of(number).hex(),)), lambda one: len(one.lines) == 3)
        assert [line.text for line in page.lines if "runner" not in line.text] == told


async def test_a_second_viewer_has_the_lines_of_its_own_task() -> None:
    lines = (begin(FIRST), "one", end(FIRST), begin(SECOND), "two", end(SECOND))
    async with running() as place:
        place.job(1, *lines, stream="shared")
        place.job(2, *lines, stream="shared")
        await place.until(GetLogs((FIRST,)), lambda one: len(one.lines) == 3)
        page = await place.until(GetLogs((SECOND,)), lambda one: len(one.lines) == 3)
        assert "two" in [line.text for line in page.lines]


async def test_older_lines_of_a_packed_task_are_its_own() -> None:
    async with running() as place:
        place.job(1, "new", stream="shared")
        older = (begin(SECOND), "two", end(SECOND), begin(FIRST), "one")
        place.logs.older["shared"] = [(NEWEST_AT - 10 + place_, text) for place_, text in enumerate(older)]
        await place.until(GetLogs((FIRST,)), lambda one: bool(one.lines))
        page = await place.until(GetLogs((FIRST,), before=NEWEST_AT), lambda one: not one.pending)
        assert [line.text for line in page.lines] == [begin(FIRST), "one"]
