"""Output of a task as its job tells it: the kept end of its result, and lines of its log up to each mark."""

from __future__ import annotations

import base64
import zlib

import pytest

from container.batch_job_quoting import speaker_line
from container.batch_job_wire.results import OutputMark, ResultMeta, ResultStatus
from engine.backends.batch.track.printed import HELD_CHARACTERS, MarkedLog, printed_of
from engine.model import LogEvent, Printed, PrintedEnd, PrintedPart
from tests.support.runner.log_lines import runner_line

META = ResultMeta("0" * 32, ResultStatus.SUCCESS, "returning", 1, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test")
TASK = b"t" * 16


def test_what_a_runner_kept_is_told_with_its_run() -> None:
    kept = base64.b64encode(b"end\n").decode()
    meta = META._replace(attempt=2, is_output_kept=True, stdout=kept, stdout_bytes=10)
    assert printed_of(meta, "sub") == Printed("sub/2", PrintedEnd(b"end\n", 10), PrintedEnd())


def test_a_runner_that_kept_nothing_tells_no_output() -> None:
    assert printed_of(META, "sub") is None


def mark(written: bytes, runs: str, stdout_end: int, stderr_end: int = 0, task: bytes = TASK) -> str:
    counted = tuple((runs[place], int(runs[place + 1])) for place in range(0, len(runs), 2))
    told = OutputMark(task.hex(), 1, stdout_end, stderr_end, counted, zlib.crc32(written))
    return runner_line(told.encode())


def told(lines: list[str], log: MarkedLog | None = None) -> list[PrintedPart]:
    return (log or MarkedLog("sub", [TASK])).take([LogEvent(1.0, line, 1.0) for line in lines])


def test_lines_before_a_mark_are_told_with_their_streams_and_the_empty_ones_that_no_log_has() -> None:
    lines = [
        "noise of the image",
        "a",
        "b",
        runner_line("task x: attempt 1"),
        "e",
        mark(b"a\nb\n\ne\n", "o2O1e1", 5, 2),
    ]
    assert told(lines) == [PrintedPart(TASK, "sub/1", ((1, b"a\nb\n"), (1, b"\n"), (2, b"e\n")), (5, 2))]


def test_a_stream_that_shows_empty_lines_is_read_the_same() -> None:
    lines = ["a", "", "", "b", mark(b"a\n\n\nb\n", "o1O2o1", 6)]
    assert [part.begins for part in told(lines)] == [(0, 0)]


@pytest.mark.parametrize(
    "lines",
    [
        ["b", "a", mark(b"a\nb\n", "o2", 4)],
        ["b", mark(b"a\nb\n", "o2", 4)],
        ["a", "foreign", "b", mark(b"a\nb\n", "o2", 4)],
        ["a\ufffd", mark(b"a\xff\n", "o1", 3)],
        ["a", mark(b"a\n", "o1", 2, task=b"u" * 16)],
        [mark(b"\n" * 9, "O9", 9).replace("O9", f"O{HELD_CHARACTERS + 1}")],
    ],
)
def test_what_does_not_fit_its_mark_is_not_told_nor_anything_later(lines: list[str]) -> None:
    log = MarkedLog("sub", [TASK])
    assert told(lines, log) == []
    if "75" * 16 not in lines[-1]:
        assert told(["c", mark(b"c\n", "o1", 6)], log) == []


def test_lines_that_wait_for_a_mark_are_bounded() -> None:
    log = MarkedLog("sub", [TASK])
    line = "x" * 1_000
    assert told([line] * 2_000, log) == []
    assert log.held <= HELD_CHARACTERS
    assert len(told([line, mark(line.encode() + b"\n", "o1", 1_001)], log)) == 1


def test_of_a_job_that_runs_several_at_once_a_mark_is_about_the_lines_of_its_own_task() -> None:
    other = b"o" * 16
    begins, begins_other = (speaker_line(one.hex(), 1).rstrip() for one in (TASK, other))
    lines = [begins, "a", begins_other, "x", begins, "b", begins_other, "y", mark(b"x\ny\n", "o2", 4, task=other)]
    parts = told([*lines, begins, mark(b"a\nb\n", "o2", 4)], MarkedLog("sub", [TASK, other]))
    assert [(part.task_id, part.pieces) for part in parts] == [(other, ((1, b"x\ny\n"),)), (TASK, ((1, b"a\nb\n"),))]


def test_what_a_task_prints_behind_its_end_is_told_with_what_stood_before() -> None:
    begins, ends = (
        runner_line(f"task {TASK.hex()}: attempt 1, 7 bytes of payload"),
        runner_line(f"task {TASK.hex()}: success"),
    )
    parts = told([begins, "a", ends, "b", mark(b"a\nb\n", "o2", 4)])
    assert [part.pieces for part in parts] == [((1, b"a\nb\n"),)]


def test_lines_that_no_mark_came_for_are_let_go_before_those_of_a_later_task() -> None:
    other = b"o" * 16
    begins, begins_other = (runner_line(f"task {one.hex()}: attempt 1, 7 bytes") for one in (other, TASK))
    stale = ["x" * 1_000] * (HELD_CHARACTERS // 1_000)
    fresh = ["y" * 10] * 600
    log = MarkedLog("sub", [TASK, other])
    parts = told(
        [begins, *stale, begins_other, *fresh, mark(b"".join(b"y" * 10 + b"\n" for _ in fresh), "o600", 6_600)], log
    )
    assert [part.ends for part in parts] == [(6_600, 0)]
    assert log.held <= HELD_CHARACTERS
