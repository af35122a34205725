"""Failure inbox: causes, the sample of the selected one, and what is opened from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from console.tui.drawing.glyphs import UNICODE
from console.tui.drawing.spans import plain
from console.tui.failures.sample import around_error, sample_lines
from console.tui.failures.screen import FailuresScreen
from console.tui.logs.log_buffer import LogBuffer, LogEntry
from console.tui.screens.job import JobScreen
from console.tui.screens.logs import LogsScreen
from engine.telemetry.schema.messages import (
    AcknowledgeFailures,
    Answer,
    Failure,
    Failures,
    GetFailures,
    GetLogs,
    JobState,
    LogLine,
    LogPage,
    LogStatus,
    Request,
)
from tests.support.console.running_app import WatchedSource, beats, running

TRACEBACK = (
    "INFO started",
    "INFO loading curves",
    "Traceback (most recent call last):",
    '  File "price.py", line 3, in price',
    "ValueError",
    "INFO bye",
)


class FailingSource(WatchedSource):
    """Engine with two causes, whose logs are tracebacks."""

    def __init__(self, jobs: int = 300, *, may_control: bool = False) -> None:
        super().__init__(jobs, may_control=may_control)
        first, second, *_ = self.rows
        self.failures = [
            Failure("pricing-spot", "price", "ValueError", 12, 0, 1, 900.0, 990.0, first),
            Failure("pricing-spot", "calibrate", "exit code 7", 0, 2, 0, 900.0, 980.0, second),
        ]

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, GetFailures):
            on_answer(Failures(tuple(self.failures), len(self.failures), 1000.0))
        elif isinstance(request, GetLogs):
            on_answer(log_page(request, TRACEBACK))
        else:
            super().ask(request, on_answer)


def log_page(request: GetLogs, texts: Sequence[str]) -> LogPage:
    task_id = next(iter(request.task_ids), "")
    lines = tuple(LogLine(seq, 950.0 + seq, task_id, text) for seq, text in enumerate(texts) if seq > request.after)
    return LogPage(task_id, lines, len(texts) - 1, 0, None, 1, "", LogStatus.STREAMING)


def entries(*texts: str) -> list[LogEntry]:
    buffer = LogBuffer()
    buffer.extend(log_page(GetLogs(("1",)), texts))
    return list(buffer)


def failures(app: object) -> FailuresScreen:
    assert isinstance(app, FailuresScreen)
    return app


async def test_f_shows_the_causes_with_counts_and_the_last_jobs_log_around_its_error() -> None:
    source = FailingSource()
    async with running(source) as (app, pilot):
        await pilot.press("F")
        await beats(app, pilot, 5)
        screen = failures(app.top_screen)
        assert "ValueError" in screen.table.text
        assert "hit 15 times" in screen.table.text
        assert "line 3, in price" in screen.sample.text
        assert source.failures[0].sample[:8] in screen.sample.text


async def test_a_acknowledges_the_failures_where_they_are_looked_at() -> None:
    source = FailingSource(1_000, may_control=True)
    async with running(source) as (app, pilot):
        failed = app.state.managers[0].counts[JobState.FAILED]
        await pilot.press("F")
        await beats(app, pilot)
        assert "a acknowledge" in app.top_screen.key_bar.text
        await pilot.press("a")
    assert source.controlled == [AcknowledgeFailures({"pricing-spot": failed})]


async def test_the_sample_is_that_of_the_selected_cause() -> None:
    source = FailingSource()
    async with running(source) as (app, pilot):
        await pilot.press("F")
        await beats(app, pilot, 2)
        await pilot.press("j", "j")
        await beats(app, pilot, 5)
        assert source.failures[1].sample[:8] in failures(app.top_screen).sample.text
        assert "exit code 7" in failures(app.top_screen).sample.text


async def test_the_selection_stays_with_its_cause_when_another_comes_first() -> None:
    source = FailingSource()
    async with running(source) as (app, pilot):
        await pilot.press("F")
        await beats(app, pilot, 2)
        await pilot.press("j")
        selected = failures(app.top_screen).view.current
        source.failures.reverse()
        failures(app.top_screen).read_now()
        await beats(app, pilot, 2)
        assert failures(app.top_screen).view.current == selected
        assert failures(app.top_screen).view.index == 1


async def test_enter_opens_the_sample_and_l_its_log() -> None:
    source = FailingSource()
    async with running(source) as (app, pilot):
        await pilot.press("F")
        await beats(app, pilot, 2)
        await pilot.press("enter")
        assert isinstance(app.top_screen, JobScreen)
        assert app.top_screen.task_id == source.failures[0].sample
        await pilot.press("escape", "l")
        assert isinstance(app.top_screen, LogsScreen)
        assert app.top_screen.task_ids == (source.failures[0].sample,)


async def test_without_failures_it_says_so_and_opens_nothing() -> None:
    source = FailingSource()
    source.failures.clear()
    async with running(source) as (app, pilot):
        await pilot.press("F")
        await beats(app, pilot, 2)
        assert "no job has failed" in failures(app.top_screen).table.text
        await pilot.press("enter")
        assert isinstance(app.top_screen, FailuresScreen)


def test_a_whole_traceback_is_shown_with_some_lines_around_it() -> None:
    many = [f"INFO line {number}" for number in range(50)]
    shown = [entry.text for entry in around_error(entries(*many, *TRACEBACK, *many), 30)]
    assert shown[0] == "INFO line 48"  # two of the four before it are TRACEBACK's own
    assert shown[-1] == "INFO line 0"
    assert TRACEBACK[2] in shown


def test_a_log_without_an_error_shows_its_end() -> None:
    assert [entry.text for entry in around_error(entries("a", "b", "c"), 2)] == ["b", "c"]


def test_without_log_lines_the_reason_is_told() -> None:
    failure = Failure("m", "f", "exit code 7", 1, 0, 0, 1.0, 1.0, "0" * 32, ("i-0ab31c44",))
    status = "denied: grant logs:GetLogEvents"
    lines = [plain(line) for line in sample_lines(failure, None, [], status, UNICODE, 60, 20)]
    assert " hosts     i-0ab31c44" in lines
    assert lines[-1] == f" {status}"


def test_of_a_long_crash_dump_the_head_and_the_end_are_shown() -> None:
    head = ("Fatal Python error: Segmentation fault", "Current thread 0x7f (most recent call first):")
    frames = tuple(f'  File "{name}.py", line 1 in {name}' for name in ("price", *("runner",) * 30))
    told = entries("INFO begins", *head, *frames, "runner: died (signal 11) while running, ran 0.1 s: exit 1")
    shown = [entry.text for entry in around_error(told, 10)]
    assert len(shown) == 10
    assert shown[:3] == [*head, frames[0]]
    assert shown[-1].startswith("runner: died")
