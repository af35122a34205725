"""Ring of log lines: numbered for ever and kept within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import LogEvent
from engine.telemetry.server.logs.ring import MAX_CHARACTERS, MAX_LINE, MAX_LINES, LogRing, lines_of


def events(*texts: str, at: float = 1.0) -> list[LogEvent]:
    return [LogEvent(at, text, at + 2.0) for text in texts]


def add(ring: LogRing, task_id: str, events: list[LogEvent]) -> None:
    ring.add(line for event in events for line in lines_of(task_id, event))


def texts(ring: LogRing, after: int = -1, limit: int = 500, pattern: str = "") -> list[str]:
    return [line.text for line in ring.page(after, limit, pattern)[0]]


def test_pages_follow_one_another_without_gap_or_repetition() -> None:
    ring, after, seen = LogRing(), -1, []
    add(ring, "task", events(*map(str, range(10))))
    for _ in range(4):
        lines, after = ring.page(after, 3, "")
        seen += [line.text for line in lines]
    assert seen == list(map(str, range(10)))
    assert ring.page(after, 3, "") == ((), 9)


def test_what_does_not_fit_goes_from_the_front_and_is_counted() -> None:
    ring = LogRing()
    add(ring, "task", events(*map(str, range(MAX_LINES + 7))))
    assert ring.dropped == 7
    assert ring.page(-1, 1, "")[0][0].seq == 7
    add(ring, "task", events(*["x" * 8000] * 2000))
    kept = MAX_LINES + 7 + 2000 - ring.dropped
    assert kept * 8000 <= MAX_CHARACTERS


def test_a_pattern_holds_for_upper_and_lower_case_and_moves_past_what_it_skips() -> None:
    ring = LogRing()
    add(ring, "task", events("Error: one", "fine", "another ERROR", "fine"))
    assert texts(ring, pattern="error") == ["Error: one", "another ERROR"]
    assert ring.page(-1, 500, "error")[1] == 3


def test_a_long_line_is_cut_and_says_so_and_an_event_of_many_lines_is_many() -> None:
    ring = LogRing()
    add(ring, "task", events("a\nb\n", "y" * (MAX_LINE + 5), ""))
    assert texts(ring) == ["a", "b", "y" * MAX_LINE, ""]
    assert [line.cut for line in ring.page(-1, 9, "")[0]] == [0, 0, 5, 0]


def test_when_the_newest_line_was_written_is_told() -> None:
    ring = LogRing()
    assert ring.newest_at is None
    add(ring, "task", events("late", at=7.0))
    add(ring, "other", events("early", at=3.0))
    assert ring.newest_at == 7.0


def test_another_watch_takes_over_what_is_known_of_a_task() -> None:
    ring, other = LogRing(), LogRing()
    add(other, "mine", events("1", "2"))
    add(other, "theirs", events("3"))
    ring.copy_lines(other, "mine")
    assert texts(ring) == ["1", "2"]


@pytest.mark.parametrize("sign", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_a_line_feed_ends_a_line(sign: str) -> None:
    ring = LogRing()
    add(ring, "task", events(f"one{sign}two\nthree"))
    assert texts(ring) == [f"one{sign}two", "three"]


@given(st.lists(st.text("ab\r\x0b", max_size=20), max_size=10))
def test_lines_are_what_stands_between_line_feeds(lines: list[str]) -> None:
    ring = LogRing()
    add(ring, "task", events("".join(f"{line}\n" for line in lines)))
    assert texts(ring) == (lines or [""])


def test_of_a_bar_that_is_too_long_the_newest_states_are_kept_whole() -> None:
    ring = LogRing()
    add(ring, "task", events("\r".join(f"{step:5}%" for step in range(10_000))))
    (line,) = ring.page(-1, 1, "")[0]
    assert line.text.endswith("\r 9998%\r 9999%")
    assert (len(line.text) <= MAX_LINE, line.text.startswith(" "), line.cut) == (True, True, 0)


@given(st.integers(1, 3 * MAX_LINE), st.sampled_from(["", "old\r", "old\r\r"]))
def test_the_number_of_characters_that_were_cut_off_is_told(length: int, before: str) -> None:
    ring = LogRing()
    add(ring, "task", events(before + "y" * length))
    (line,) = ring.page(-1, 1, "")[0]
    assert line.text.count("y") + line.cut == length
    assert len(line.text) <= MAX_LINE
