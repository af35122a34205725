"""What a task printed reaches its client once: the end of its output begins where the parts that were sent ended."""

from __future__ import annotations

import pytest

from engine.model import Printed, PrintedEnd, PrintedPart
from engine.tasks.streamed_output import STARTED_AGAIN, StreamedOutput

TASK = b"t" * 16


def part(text: bytes, end: int, run: str = "job/1", errors: bytes = b"", errors_end: int = 0) -> PrintedPart:
    return PrintedPart(TASK, run, ((1, text), (2, errors)) if errors else ((1, text),), (end, errors_end))


def printed(kept: bytes, before: int = 0, run: str = "job/1", errors: bytes = b"") -> Printed:
    return Printed(run, PrintedEnd(kept, before + len(kept)), PrintedEnd(errors, len(errors)))


def stdout_of(kept: bytes, written: int, sent: int = 0) -> str:
    streamed = StreamedOutput()
    if sent:
        assert streamed.take(part(b"x" * sent, sent))
    return streamed.rest(TASK, Printed("job/1", PrintedEnd(kept, written)))[0]


def left_out(count: int) -> str:
    return f"[scaler-batch: {count} bytes of the task's output left out here; its job's log has them]\n"


@pytest.mark.parametrize(
    ("kept", "before", "text"),
    [
        (b"", 0, ""),
        (b"one\n\x1b[31mtwo", 0, "one\n\x1b[31mtwo"),
        ("grün\n".encode()[:3] + b"\xff", 0, "gr\ufffd\ufffd"),
        (b"rest of a line\nwhole\n", 10, left_out(25) + "whole\n"),
        ("ü".encode()[1:] + b"no newline", 10, left_out(11) + "no newline"),
    ],
)
def test_text_is_passed_through_and_a_cut_is_said_and_leaves_no_broken_line_or_character(
    kept: bytes, before: int, text: str
) -> None:
    assert stdout_of(kept, before + len(kept)) == text


@pytest.mark.parametrize(
    ("sent", "before", "text"),
    [
        (8, 0, "three\n"),
        (14, 0, ""),
        (8, 4, "three\n"),
        (4, 4, "two\nthree\n"),
        (2, 4, left_out(6) + "three\n"),
    ],
)
def test_of_what_is_kept_only_what_was_not_sent_is_left(sent: int, before: int, text: str) -> None:
    assert stdout_of(b"one\ntwo\nthree\n"[before:], 14, sent) == text


def test_parts_are_sent_in_order_with_their_streams_and_none_twice() -> None:
    streamed = StreamedOutput()
    first, second = part(b"a\n", 2, errors=b"e\n", errors_end=2), part(b"b\n", 4, errors_end=2)
    assert streamed.take(second) is None
    assert streamed.take(first) == ((0, 0), [(1, "a\n"), (2, "e\n")])
    assert streamed.take(first) == ((2, 2), [])
    assert streamed.take(second) == ((2, 2), [(1, "b\n")])
    assert streamed.take(part(b"d\n", 8, errors_end=2)) is None
    assert streamed.rest(TASK, printed(b"a\nb\nc\n", errors=b"e\nf")) == ("c\n", "f")


def test_a_part_that_could_not_be_sent_comes_again() -> None:
    streamed = StreamedOutput()
    first = part(b"a\n", 2)
    assert streamed.take(first)
    streamed.take_back(first, (0, 0))
    assert streamed.take(first) == ((0, 0), [(1, "a\n")])


@pytest.mark.parametrize("proved", [True, False])
def test_what_no_barrier_proved_counts_as_not_sent_when_the_connection_ends(proved: bool) -> None:
    streamed = StreamedOutput()
    streamed.take(part(b"a\n", 2))
    before = streamed.unproved()
    streamed.take(part(b"b\n", 4))
    if proved:
        streamed.prove(before)
    streamed.on_link_lost()
    assert streamed.rest(TASK, printed(b"a\nb\n")) == ("b\n" if proved else "a\nb\n", "")


def test_output_of_another_run_comes_whole_and_is_told_to_begin_anew() -> None:
    streamed = StreamedOutput()
    streamed.take(part(b"a\n", 2))
    assert streamed.rest(TASK, printed(b"a\nb\n", run="job/2")) == (STARTED_AGAIN + "a\nb\n", "")
    assert streamed.take(part(b"x\n", 4, run="job/2")) is None
    assert streamed.take(part(b"a\n", 2, run="job/2")) == ((0, 0), [(1, STARTED_AGAIN), (1, "a\n")])
    assert streamed.rest(TASK, printed(b"a\nb\n", run="job/2")) == ("b\n", "")
    assert streamed.rest(TASK, printed(b"a\n", run="other/1")) == (STARTED_AGAIN + "a\n", "")


def test_a_task_that_comes_again_later_knows_nothing_of_its_former_life() -> None:
    streamed = StreamedOutput()
    streamed.take(part(b"a\n", 2))
    streamed.forget([TASK])
    assert streamed.rest(TASK, printed(b"a\n")) == ("a\n", "")
