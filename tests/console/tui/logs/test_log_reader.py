"""Reading a log that grows: nobody is carried away, nothing is lost without being counted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.tui.logs.log_buffer import Level, LogBuffer, level_of
from console.tui.logs.log_reader import LogCursor
from tests.support.console.widget_samples import page


def reading(lines: int, height: int = 10, capacity: int = 100) -> LogCursor:
    reader = LogCursor(LogBuffer(capacity))
    reader.resize(height)
    add(reader, lines)
    return reader


def add(reader: LogCursor, lines: int, text: str = "INFO line {}", dropped: int = 0) -> None:
    start = reader.buffer.next + 1
    reader.buffer.extend(page([text.format(start + n) for n in range(lines)], start=start, dropped=dropped))
    reader.update()


def seqs(reader: LogCursor) -> list[int]:
    return [entry.seq for entry in reader.visible()]


@given(st.lists(st.integers(0, 80), max_size=8), st.integers(1, 60))
def test_kept_and_dropped_are_what_was_received(pages: list[int], capacity: int) -> None:
    buffer = LogBuffer(capacity)
    for lines in pages:
        buffer.extend(page(["x"] * lines, start=buffer.next + 1))
    assert len(buffer) + buffer.dropped == buffer.received == sum(pages)
    assert len(buffer) <= capacity


def test_lines_that_the_engine_lost_are_counted_too() -> None:
    reader = reading(10)
    add(reader, 5, dropped=7)
    assert reader.buffer.dropped == 7


def test_a_page_that_was_had_already_adds_nothing() -> None:
    buffer = LogBuffer()
    assert [buffer.extend(page(["a", "b"])), buffer.extend(page(["a", "b", "c"]))] == [2, 1]


def test_another_watch_starts_anew() -> None:
    reader = reading(50)
    reader.scroll(-5)
    reader.buffer.extend(page(["other"], watch="other"))
    reader.update()
    assert (seqs(reader), reader.follow, reader.buffer.received) == ([0], True, 1)


def test_following_shows_the_newest_lines() -> None:
    reader = reading(50)
    add(reader, 5)
    assert seqs(reader) == list(range(45, 55))


def test_the_first_step_up_ends_following_and_the_top_line_stays_for_ten_thousand_more() -> None:
    reader = reading(50)
    reader.scroll(-1)
    top = seqs(reader)
    for _ in range(100):
        add(reader, 100)
    assert not reader.follow
    assert seqs(reader) == top == list(range(39, 49))
    assert reader.below == 10_000


def test_resuming_goes_to_the_end_and_stays_there() -> None:
    reader = reading(50)
    reader.scroll(-20)
    add(reader, 1_000)
    reader.resume()
    assert seqs(reader) == list(range(1_040, 1_050))
    add(reader, 1)
    assert (seqs(reader)[-1], reader.below) == (1_050, 0)


def test_scrolling_down_to_the_end_follows_again() -> None:
    reader = reading(50)
    reader.scroll(-3)
    reader.scroll(3)
    assert not reader.follow
    reader.scroll(1)
    assert reader.follow


def test_scrolling_down_meets_what_came_meanwhile_without_a_jump() -> None:
    reader = reading(50)
    reader.scroll(-1)
    add(reader, 20)
    reader.scroll(3)
    assert seqs(reader) == list(range(42, 52))


def test_what_is_held_for_a_reader_is_bounded() -> None:
    reader = reading(100)
    reader.to_top()
    for _ in range(50):
        add(reader, 100)
        reader.scroll(50)
        reader.pause()
    assert reader.count <= 200


def test_a_filter_keeps_what_it_fits_and_comes_off_again() -> None:
    reader = reading(30)
    reader.set_pattern("LINE 2")
    assert [entry.text for entry in reader.visible()][:2] == ["INFO line 20", "INFO line 21"]
    add(reader, 1, "INFO line 2 again {}")
    assert reader.visible()[-1].text.startswith("INFO line 2 again")
    reader.set_pattern("")
    assert reader.count == 31


def test_a_filter_while_holding_still_shows_nothing_that_came_later() -> None:
    reader = reading(30)
    reader.scroll(-5)
    add(reader, 10)
    reader.set_pattern("line")
    assert reader.count == 30
    assert not reader.follow


def test_lines_can_be_chosen_by_level() -> None:
    reader = reading(5)
    add(reader, 2, "WARNING low {}")
    add(reader, 1, "ERROR bad {}")
    reader.set_level(Level.WARNING)
    assert [entry.level for entry in reader.visible()] == [Level.WARNING, Level.WARNING, Level.ERROR]


def test_searching_finds_up_and_down_and_stops_following() -> None:
    reader = reading(50)
    assert reader.find("line 12", -1)
    assert seqs(reader)[0] == 12
    assert not reader.follow
    assert reader.find("line 3", 1)
    assert seqs(reader)[0] == 30
    assert not reader.find("nowhere", 1)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026-01-01 ERROR worker: no", Level.ERROR),
        ("[WARN] low", Level.WARNING),
        ("INFO all is well, no error here", Level.INFO),
        ("DEBUG x", Level.DEBUG),
        ("informational WARNINGS", Level.INFO),
        ("numpy.linalg.LinAlgError: Singular matrix", Level.ERROR),
        ("plain words", Level.INFO),
    ],
)
def test_a_line_has_the_level_that_it_names(text: str, level: Level) -> None:
    assert level_of(text) == level


def test_a_traceback_is_an_error_to_its_last_line_job_by_job() -> None:
    buffer = LogBuffer()
    buffer.extend(page(["Traceback (most recent call last):", '  File "x.py", line 3, in f'], job=1))
    buffer.extend(page(["INFO of another job"], start=2, job=2))
    buffer.extend(page(["    return 1 / 0", "ZeroDivisionError: division by zero", "INFO next"], start=3, job=1))
    assert [entry.level.name for entry in buffer] == ["ERROR", "ERROR", "INFO", "ERROR", "ERROR", "INFO"]


def test_a_line_of_a_megabyte_is_kept_as_a_short_one_that_says_so() -> None:
    buffer = LogBuffer()
    buffer.extend(page(["x" * 1_000_000]))
    (entry,) = buffer
    assert len(entry.text) < 9_000
    assert entry.text.endswith(" … 991,808 more characters")


def test_a_cut_that_the_engine_made_is_told_as_one_with_the_consoles_own() -> None:
    buffer = LogBuffer()
    whole = page(["x" * 8_192])
    buffer.extend(msgspec.structs.replace(whole, lines=(msgspec.structs.replace(whole.lines[0], cut=253_952),)))
    (entry,) = buffer
    assert entry.text == "x" * 8_192 + " … 253,952 more characters"
