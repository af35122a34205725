"""Lines of a streamed task in its job's log: whole, and told apart exactly by whoever reads the log."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Sequence
from types import ModuleType
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backends.batch.track.printed import MarkedLog
from engine.model import LogEvent, PrintedPart
from tests.support.engine.fake_clock import FakeClock
from tests.support.paths import ROOT

TASK = b"t" * 16


@pytest.fixture(scope="module")
def control() -> ModuleType:
    """The module as the runner imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "container")
        return importlib.import_module("batch_job_output")


class Job:
    """The way of a task's lines into the log, on a clock of its own."""

    def __init__(self, control: ModuleType) -> None:
        self.clock = FakeClock()
        self.written = {1: b"", 2: b""}
        self.log = b""
        self.lines = control.MarkedLines(TASK.hex(), 1, self.clock)

    def prints(self, sink: int, chunk: bytes) -> None:
        self.written[sink] += chunk
        with mock.patch("os.write", self._write):
            self.lines.add(sink, chunk)

    def waits(self, seconds: float) -> None:
        self.clock.now += seconds
        with mock.patch("os.write", self._write):
            self.lines.mark_if_due()

    def ends(self) -> None:
        with mock.patch("os.write", self._write):
            self.lines.end()

    def _write(self, sink: int, data: bytes) -> int:
        self.log += data
        return len(data)

    @property
    def parts(self) -> list[PrintedPart]:
        """As CloudWatch has it: no line is empty."""
        events = [LogEvent(1.0, line, 1.0) for line in self.log.decode(errors="replace").split("\n") if line]
        return MarkedLog("sub", [TASK]).take(events)


def streams_of(parts: Sequence[PrintedPart]) -> dict[int, bytes]:
    return {of: b"".join(text for part in parts for sink, text in part.pieces if sink == of) for of in (1, 2)}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2]), st.sampled_from([b"a", b"\n", b"line\n", b"two\nlines\n", b"\n\n", "ü\n".encode()])
        ),
        max_size=30,
    ),
    st.lists(st.sampled_from([0.0, 0.4, 4.0]), min_size=30, max_size=30),
)
def test_whatever_is_printed_parts_are_a_beginning_of_each_stream_byte_for_byte(
    control: ModuleType, prints: list[tuple[int, bytes]], waits: list[float]
) -> None:
    job = Job(control)
    for (sink, chunk), seconds in zip(prints, waits, strict=False):
        job.prints(sink, chunk)
        job.waits(seconds)
    job.waits(4.0)
    parts, told = job.parts, streams_of(job.parts)
    assert told == {sink: written[: written.rfind(b"\n") + 1] for sink, written in job.written.items()}
    assert [part.begins for part in parts] == [(0, 0), *(part.ends for part in parts)][: len(parts)]
    job.ends()
    assert job.log.count(b"\n") >= sum(written.count(b"\n") for written in job.written.values())


def test_a_task_that_is_over_soon_has_no_marks_in_its_log(control: ModuleType) -> None:
    job = Job(control)
    for _ in range(3):
        job.prints(1, b"line\n")
        job.waits(0.5)
    job.prints(1, b"no newline")
    job.ends()
    assert job.log == b"line\n" * 3 + b"no newline\n"


def test_a_mark_comes_a_second_after_the_one_before_and_only_for_lines(control: ModuleType) -> None:
    job = Job(control)
    job.waits(3.0)
    assert job.lines.wait_s is None
    job.prints(1, b"a\n")
    assert job.lines.wait_s == 0.0
    job.waits(0.0)
    job.prints(1, b"b\n")
    assert job.lines.wait_s == 1.0
    job.waits(0.5)
    assert len(job.parts) == 1
    job.waits(0.5)
    assert [part.ends for part in job.parts] == [(2, 0), (4, 0)]


@pytest.mark.parametrize("chunk", [b"x" * 999 + b"\n", b"\nx\n", b"\n"])
def test_many_lines_are_marked_at_once_so_that_a_reader_holds_few(control: ModuleType, chunk: bytes) -> None:
    job = Job(control)
    for sink, _ in zip(itertools.cycle([1, 2]), range(400), strict=False):
        job.prints(sink, chunk)
    assert len(job.parts) >= 3


def test_a_line_that_is_too_long_to_hold_passes_and_ends_the_marks(control: ModuleType) -> None:
    job = Job(control)
    job.prints(1, b"before\n")
    job.prints(2, b"open")
    job.prints(1, b"x" * (control.LONGEST_LINE + 1))
    job.prints(1, b"y\nafter\n")
    job.waits(9.0)
    assert streams_of(job.parts) == {1: b"before\n", 2: b""}
    assert job.log.endswith(b"x\nopen\ny\nafter\n")
