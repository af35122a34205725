"""The one cleaner of foreign text: what a log holds is text on one line, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.foreign_text import MAX_TEXT, clean, clean_line

PIECES = st.sampled_from(
    ["\x1b[31m", "\x1b[0m", "\x1b]0;title\x07", "\x1b[2K", "\x1b", "\x9b1A", "\r", "\t", "\x0b", "\x0c", "\x1c", "\x85",
     "\u2028", "\u202e", "\x00", "a", "Z", " ", "é", "漢", "[", "31m"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_is_cleaned_is_printable_and_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert all(char.isprintable() for char in once)
    assert "\n" not in once
    assert clean(once) == once


@given(st.text("abc \x1b[m01;", max_size=30), st.text("xyz", min_size=1, max_size=10))
def test_of_what_was_written_over_the_last_is_left(before: str, last: str) -> None:
    for text in (f"{before}\r{last}", f"{before}\r{last}\r", f"{before}\r\x1b[2K{last}", f"{before}\r{last}\r\x1b[0m"):
        assert clean(text) == last


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mERROR\x1b[0m it failed", "ERROR it failed"),
        ("\x1b[38;5;196;1mred", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bplain", "plain"),
        ("  0%|          | 0/100\r 50%|#####     | 50/100\r100%|##########| 100/100", "100%|##########| 100/100"),
        ("tab\there", "tab     here"),
    ],
)
def test_escape_sequences_and_overwritten_states_leave_nothing(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.integers(0, 3 * MAX_TEXT), st.integers(0, 5_000))
def test_one_cut_names_all_that_is_missing(length: int, cut_before: int) -> None:
    shown = clean_line("x" * length, cut_before)
    missing = max(0, length - MAX_TEXT) + cut_before
    assert shown == "x" * min(length, MAX_TEXT) + (f" … {missing:,} more characters" if missing else "")
