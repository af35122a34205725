"""Reading a log that grows: nobody is carried away, nothing is lost without being counted."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from console.tui.logs.log_buffer import LogBuffer
from console.tui.logs.log_levels import Level
from console.tui.logs.log_reader import LogCursor
from engine.telemetry.schema.messages import LogLine, LogPage, LogStatus
from tests.support.console.widget_samples import NOW, page, task_id


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
    assert len(buffer) + buffer.evicted == buffer.received == sum(pages)
    assert (buffer.dropped, buffer.earlier) == (0, buffer.evicted > 0)
    assert len(buffer) <= capacity


def test_lines_that_the_engine_lost_before_they_were_read_are_counted_and_no_others() -> None:
    reader = reading(10)
    add(reader, 5, dropped=7)
    assert reader.buffer.dropped == 0
    reader.buffer.extend(page(["after the gap"], start=20, dropped=18))
    assert reader.buffer.dropped == 3
    add(reader, 100)
    assert (reader.buffer.dropped, reader.buffer.earlier) == (0, True)


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
    assert reader.find("line 12")
    assert 12 in seqs(reader)
    assert not reader.follow
    assert reader.find("LINE 3")
    assert found(reader) == 3
    assert not reader.find("nowhere")


def found(reader: LogCursor) -> int | None:
    """Number of the line found that is looked at."""
    current = reader.search.current
    return None if current is None else current.seq


def test_a_search_begins_with_what_is_on_screen() -> None:
    reader = reading(50)
    top = seqs(reader)
    assert reader.find("line 4")
    assert (found(reader), seqs(reader)) == (40, top)


def test_hits_are_counted_and_stepped_through_to_both_ends() -> None:
    reader = reading(50)
    assert reader.find("line 4")
    assert reader.hit_place == (2, 11)
    assert reader.find_next(-1)
    assert (found(reader), reader.hit_place) == (4, (1, 11))
    assert not reader.find_next(-1)
    for _ in range(10):
        assert reader.find_next(1)
    assert (found(reader), reader.hit_place) == (49, (11, 11))
    assert not reader.find_next(1)
    add(reader, 1, "line 4 again {}")
    reader.resume()
    assert reader.hit_place == (11, 12)


def test_what_was_sought_is_remembered_once_the_newest_last() -> None:
    reader = reading(5)
    for text in ("a", "b", "a", ""):
        reader.find(text)
    assert reader.search.history == ("b", "a")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 12), st.lists(st.integers(-15, 15)))
def test_every_row_of_long_lines_can_be_reached_and_nothing_is_skipped(
    rows: list[int], height: int, steps: list[int]
) -> None:
    reader = reading(len(rows), height)
    reader.rows_of = lambda entry: rows[entry.seq]
    reader.resize(height)
    everything = [(seq, row) for seq, count in enumerate(rows) for row in range(count)]

    def on_screen() -> list[tuple[int, int]]:
        drawn = [(entry.seq, row) for entry in reader.visible() for row in range(rows[entry.seq])]
        return drawn[reader.top_row :][:height]

    assert on_screen() == everything[-height:]
    last = top = max(0, len(everything) - height)
    for by in steps:
        if reader.follow and by >= 0:
            continue
        reader.scroll(by)
        top = min(max(0, top + by), last)
        assert on_screen() == everything[top : top + height]
    reader.to_top()
    seen = on_screen()
    for _ in everything:
        reader.scroll(1)
        seen += [row for row in on_screen() if row not in seen]
    assert seen == everything


def older_page(begin: int, end: int, earlier: bool = True, job: int = 1) -> LogPage:
    """Lines that were written before those that `page` makes: line -1 a second before line 0."""
    lines = tuple(LogLine(0, NOW + n, task_id(job), f"INFO line {n}") for n in range(begin, end))
    return LogPage("w", lines, -1, 0, 1.1, 1, "streaming", LogStatus.STREAMING, earlier)


def reading_back(lines: int = 50, height: int = 10) -> LogCursor:
    """A reader of a log that has earlier lines."""
    reader = LogCursor(LogBuffer(100))
    reader.resize(height)
    first = page([f"INFO line {n}" for n in range(lines)])
    reader.buffer.extend(msgspec.structs.replace(first, earlier=True))
    reader.update()
    return reader


def give_older(reader: LogCursor, older: LogPage) -> None:
    before = reader.buffer.before
    assert before is not None
    reader.take_older(reader.buffer.extend_back(older, before))


def texts(reader: LogCursor) -> list[str]:
    return [entry.text.removeprefix("INFO line ") for entry in reader.visible()]


def test_the_first_line_asks_for_what_is_before_it_until_the_log_begins() -> None:
    reader = reading_back()
    assert not reader.wants_older
    reader.to_top()
    assert (reader.wants_older, reader.buffer.before) == (True, NOW + 0.001)
    give_older(reader, older_page(-30, 1))
    assert (texts(reader)[0], reader.wants_older, reader.buffer.before) == ("-30", True, NOW - 30)
    give_older(reader, older_page(-70, -30, earlier=False))
    assert (texts(reader)[0], reader.wants_older, reader.buffer.before) == ("-70", False, None)
    assert [entry.text for entry in reader.buffer] == [f"INFO line {n}" for n in range(-70, 50)]


def test_scrolling_up_past_the_first_line_reads_on_and_the_screen_stays() -> None:
    reader = reading_back()
    reader.scroll(-39)
    assert not reader.wants_older
    reader.scroll(-3)
    before = texts(reader)
    give_older(reader, older_page(-30, 1))
    assert (texts(reader), reader.wants_older) == (before, False)
    reader.scroll(-3)
    assert texts(reader)[0] == "-3"


def test_older_lines_that_do_not_fit_the_filter_are_read_past() -> None:
    reader = reading_back()
    reader.set_pattern("line -70")
    reader.scroll(-1)
    give_older(reader, older_page(-30, 1))
    assert reader.wants_older
    give_older(reader, older_page(-70, -30, earlier=False))
    assert texts(reader) == ["-70"]


def test_following_again_gives_the_older_lines_back_and_says_that_there_are_some() -> None:
    reader = reading_back(100)
    reader.to_top()
    give_older(reader, older_page(-70, 1, earlier=False))
    assert not reader.buffer.earlier
    reader.resume()
    assert (len(reader.buffer), reader.buffer.earlier, texts(reader)[-1]) == (100, True, "99")


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3)), max_size=40), st.integers(1, 10))
def test_lines_of_many_jobs_stand_in_the_order_of_time_however_they_come(
    lines: list[tuple[int, int]], at_once: int
) -> None:
    reader, came = LogCursor(LogBuffer(1_000)), 0
    for begin in range(0, len(lines), at_once):
        part = lines[begin : begin + at_once]
        written = tuple(LogLine(came + n, at, task_id(job), "x") for n, (at, job) in enumerate(part))
        came += len(part)
        reader.buffer.extend(LogPage("w", written, came - 1, 0, 1.0, 3, "streaming"))
        reader.update()
    assert [entry.at for entry in reader.buffer] == sorted(at for at, _ in lines)
    reader.resize(100)
    assert list(reader.visible()) == list(reader.buffer)


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
