"""Foreign text in logs and errors: one line, printable, bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.batch_job_quoting import quote_foreign, quote_foreign_lines


@given(text=st.text(), limit=st.integers(1, 100))
def test_whatever_is_quoted_is_one_printable_line_of_bounded_length(text: str, limit: int) -> None:
    quoted = quote_foreign(text, limit)
    assert quoted == "" or quoted.isprintable()
    assert len(quoted) <= limit + 40


@pytest.mark.parametrize("text", ["plain words: 7 %", "ü and 漢字", r"a\b 'c' \"d\""])
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    assert quote_foreign(text) == text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("\x1b[31m", r"\x1b[31m"), ("a\nb\r", r"a\nb\r"), ("\u202e", r"\u202e"), ("\ud800", r"\ud800"), ("\0", r"\x00")],
)
def test_what_can_not_is_shown_as_an_escape(text: str, quoted: str) -> None:
    assert quote_foreign(text) == quoted


def test_of_a_long_text_the_length_is_told() -> None:
    assert quote_foreign("x" * 3_000_000, 5) == "xxxxx... (3000000 characters)"


def test_lines_stay_lines_and_the_last_are_kept() -> None:
    assert quote_foreign_lines("old\n" * 5 + "a\tb\n\x1b[2J", 13) == "\n".join(("", "old", "a       b", r"\x1b[2J"))
