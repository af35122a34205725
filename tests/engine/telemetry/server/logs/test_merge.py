"""Merging streams by time: nothing is lost or held for long, and what comes in time comes in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry.schema.messages import LogLine
from engine.telemetry.server.logs.merge import HOLD_BACK_S, LineMerger

READS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 2_000)), max_size=60)
"""Reads: of which stream, how many lines, and how many ms after the read before."""


def run(reads: list[tuple[int, int, int]]) -> tuple[list[LogLine], list[LogLine], list[float]]:
    """Lines in the order in which they were read and in which they were told, and how long each was held."""
    merger, now, read_at = LineMerger(), 0.0, dict.fromkeys(range(4), 0.0)
    read: list[LogLine] = []
    told: list[LogLine] = []
    came: dict[LogLine, float] = {}
    held: list[float] = []
    written = dict.fromkeys(range(4), 0.0)

    def take() -> None:
        for line in merger.take(now, read_at.values()):
            told.append(line)
            held.append(now - came[line])

    for stream, count, pause in reads:
        now += pause / 1000
        begin, written[stream] = written[stream], now
        lines = [LogLine(len(read) + n, begin + (now - begin) * n / count, str(stream), "") for n in range(count)]
        came.update(dict.fromkeys(lines, now))
        read += lines
        read_at[stream] = now
        merger.add(str(stream), lines, now)
        take()
    for _ in range(4):
        now += HOLD_BACK_S / 3
        take()
    assert merger.is_empty
    return read, told, held


@given(READS)
def test_every_line_is_told_once_and_each_stream_keeps_its_order(reads: list[tuple[int, int, int]]) -> None:
    read, told, _ = run(reads)
    assert sorted(line.seq for line in told) == [line.seq for line in read]
    for stream in "0123":
        assert [line for line in told if line.task_id == stream] == [line for line in read if line.task_id == stream]


@given(READS)
def test_no_line_is_held_for_longer_than_one_look_after_the_hold_back(reads: list[tuple[int, int, int]]) -> None:
    longest_pause = max([pause / 1000 for _, _, pause in reads], default=0.0)
    assert all(seconds <= HOLD_BACK_S + max(longest_pause, HOLD_BACK_S / 3) for seconds in run(reads)[2])


@given(st.integers(1, 30), st.integers(1, 200))
def test_streams_that_are_read_in_turn_are_told_in_the_order_of_time(rounds: int, pause: int) -> None:
    _, told, _ = run([(stream, 5, pause) for _ in range(rounds) for stream in range(4)])
    assert [line.at for line in told] == sorted(line.at for line in told)


def test_one_stream_alone_is_never_held_back() -> None:
    merger = LineMerger()
    merger.add("s", [LogLine(0, 5.0, "task", "x")], 100.0)
    assert len(merger.take(100.0, [100.0])) == 1


def test_lines_wait_for_a_stream_that_was_not_read_since() -> None:
    merger = LineMerger()
    merger.add("s", [LogLine(0, 5.0, "one", "later")], 100.0)
    assert merger.take(100.0, [100.0, 99.0]) == []
    merger.add("t", [LogLine(1, 4.0, "two", "earlier")], 101.0)
    assert [line.text for line in merger.take(101.0, [100.0, 101.0])] == ["earlier", "later"]
