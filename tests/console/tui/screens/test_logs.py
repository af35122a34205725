"""The log screen: what is before its first line, searches, the pager, AWS's console."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from console.tui.logs.outside import page_text
from console.tui.screens.logs import LogsScreen
from engine.telemetry.schema.messages import Answer, GetJob, GetLogs, Job, JobRecord, LogLine, LogPage, Request
from tests.support.console.running_app import WatchedSource, beats, running

NEWEST = 1_700_000_000.0


class LongLog(WatchedSource):
    """A log of 300 lines, one a second, of which the newest hundred are read at first."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[GetLogs] = []

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, GetLogs):
            self.asked.append(request)
            on_answer(self._page(request))
        elif isinstance(request, GetJob):
            super().ask(request, lambda answer: on_answer(_with_stream(answer)))
        else:
            super().ask(request, on_answer)

    def _page(self, request: GetLogs) -> LogPage:
        task_id = next(iter(request.task_ids), "5" * 32)
        begin, end = (200, 300) if request.after < 0 else (300, 300)
        if request.before is not None:
            end = math.ceil(request.before - NEWEST + 300)  # what is of that time itself is not before it
            begin = max(0, end - 150)
        lines = tuple(LogLine(n, NEWEST + n - 300, task_id, f"line {n:03}") for n in range(begin, end))
        return LogPage("w", lines, 299, 0, 9.0, 1, "streaming", earlier=begin > 0, jobs=1, of_jobs=1)


def _with_stream(answer: Answer) -> Answer:
    assert isinstance(answer, Job)
    return Job(JobRecord(answer.record.row, log_group="/aws/batch/job", log_stream="job/default/0f3c"))


async def test_a_log_is_read_back_to_its_beginning_from_the_first_line() -> None:
    source = LongLog()
    async with running(source) as (app, pilot):
        await pilot.press("j", "l")
        screen = app.top_screen
        assert isinstance(screen, LogsScreen)
        await beats(app, pilot, 2)
        assert "earlier lines: g" in screen.log_view.text.splitlines()[0]
        await pilot.press("g")
        for _ in range(4):
            screen.read_now()
            await beats(app, pilot)
        assert "line 000" in screen.log_view.text.splitlines()[1]
        assert "earlier" not in screen.log_view.text.splitlines()[0]
        assert [entry.text for entry in screen.log_view.buffer] == [f"line {n:03}" for n in range(300)]
        asked = len(source.asked)
        await pilot.press("G")
        await beats(app, pilot, 2)
        assert not [request for request in source.asked[asked:] if request.before is not None]


async def test_a_search_begins_empty_repeats_the_last_one_and_ends_with_escape() -> None:
    async with running(LongLog()) as (app, pilot):
        await pilot.press("j", "l")
        screen = app.top_screen
        assert isinstance(screen, LogsScreen)
        await beats(app, pilot, 2)
        await pilot.press("slash", *"LINE 25", "enter")
        assert "/LINE 25 10 of 10" in screen.log_view.text.splitlines()[-1]
        await pilot.press("n", "slash", "enter")
        assert "/LINE 25 " in screen.log_view.text.splitlines()[-1]
        await pilot.press("escape", "escape")  # the first takes the message away
        assert "/LINE" not in screen.log_view.text.splitlines()[-1]


@pytest.mark.parametrize("keys", [["j", "o"], ["j", "enter", "o"], ["j", "l", "o"]], ids=["dashboard", "job", "log"])
async def test_aws_console_is_told_of_wherever_a_job_is_looked_at(keys: list[str]) -> None:
    async with running(LongLog()) as (app, pilot):
        await pilot.press(*keys)
        await beats(app, pilot, 2)
        [shown] = [notice.message for notice in app._notifications if "https://" in notice.message]
        assert "log-group/$252Faws$252Fbatch$252Fjob/log-events/job$252Fdefault$252F0f3c\n" in shown
        assert "/batch/home?region=" in shown
        assert "job/default/0f3c\n" in shown


async def test_a_terminal_that_cannot_be_given_away_is_no_end() -> None:
    async with running(LongLog()) as (app, pilot):
        await pilot.press("j", "l", "vertical_line")
        assert [notice.message for notice in app._notifications if "can't be given to a pager" in notice.message]


def test_lines_go_to_the_pager_that_the_user_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pager = tmp_path / "my pager"
    pager.write_text(f'#!/bin/sh\ncat > "{tmp_path}/out"; echo "$1" >> "{tmp_path}/out"\n')
    os.chmod(pager, 0o700)
    monkeypatch.setenv("PAGER", f"'{pager}' -R")
    assert page_text("one\nzwei ü\n") == ""
    assert (tmp_path / "out").read_text() == "one\nzwei ü\n-R\n"


@pytest.mark.parametrize("command", ["/none/there", "'unclosed", " "])
def test_a_pager_that_is_not_there_is_told_in_one_sentence(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", command)
    assert "set PAGER" in page_text("x")


def test_a_pager_that_ends_early_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "true")
    assert page_text("x\n" * 1_000_000) == ""
