"""Reading logs back: where it begins, and what of it comes twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cli.log_pages import RepeatedLines, parse_since
from engine.errors import ConfigError
from engine.telemetry.schema.messages import LogLine, LogPage

NOW = 1_800_000_000.0


def page(lines: list[LogLine]) -> LogPage:
    return LogPage("w", tuple(lines), 0, 0, None, 1, "streaming")


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40).map(sorted), st.integers(0, 39), st.integers(1, 20))
def test_what_was_read_back_and_what_follows_are_every_line_once(times: list[int], ring: int, limit: int) -> None:
    lines = [LogLine(n, NOW + at / 1000, "task", str(n)) for n, at in enumerate(times)]
    newest = lines[min(ring, len(lines) - 1) :]
    first = page(newest[:limit])
    end = first.lines[0].at + 0.001
    older = page([line for line in lines if line.at < end])
    repeated = RepeatedLines(first, older)
    follow = [line for n in range(0, len(newest), limit) for line in repeated.without(newest[n : n + limit])]
    assert [*older.lines, *follow] == lines
    assert RepeatedLines(first, None).without(newest) == tuple(newest)


@pytest.mark.parametrize(("text", "ago"), [("10m", 600), ("1.5h", 5400), ("2d", 172_800), ("90s", 90)])
def test_a_time_may_be_a_while_ago(text: str, ago: float) -> None:
    assert parse_since(text, NOW) == NOW - ago


def test_a_time_may_have_a_date_and_a_zone() -> None:
    assert parse_since("2027-01-15T08:00:00+00:00", NOW) == NOW
    assert NOW - 86_400 < parse_since("08:05", NOW) < NOW + 86_400


@pytest.mark.parametrize("text", ["", "soon", "ten", "m", "-5m", "25:99"])
def test_what_is_no_time_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time: expected 10m"):
        parse_since(text, NOW)
