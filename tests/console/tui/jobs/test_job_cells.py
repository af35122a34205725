"""Cells of the job table: a figure or a dash, and which columns stay when it is narrow."""

from __future__ import annotations

import pytest
from msgspec import structs

from console.tui.drawing.glyphs import UNICODE
from console.tui.jobs.job_cells import JobCells
from tests.support.console.widget_samples import row

CELLS = JobCells(UNICODE)
REASONS = (("Essential container in task exited", ""), ("exit code 137", "exit code 137"))


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({}, ("–", "muted")),
        ({"attempt": 1}, ("1", "text")),
        ({"attempt": 2}, ("2", "warning")),
        ({"attempt": 1, "resubmits": 1}, ("1+1", "warning")),
        ({"resubmits": 2}, ("–+2", "warning")),
    ],
)
def test_an_attempt_is_a_warning_from_the_second_on(fields: dict[str, int], cell: tuple[str, str]) -> None:
    assert CELLS.attempt(structs.replace(row(1), **fields)) == cell


def test_a_size_is_the_tasks_own_or_a_dash() -> None:
    assert CELLS.size(row(1, route="s3", raw_bytes=1 << 20)) == ("1.0M", "text")
    assert CELLS.size(row(1, route="s3")) == ("–", "muted")


def test_an_exit_code_is_told_where_no_cause_does() -> None:
    told = [CELLS.reason(row(1, exit_code=137, reason=reason, cause=cause))[0] for reason, cause in REASONS]
    assert told == ["rc=137 Essential container in task exited", "exit code 137"]


def test_how_long_it_took_stays_longest_then_the_attempt() -> None:
    rank = {column.key: column.rank for column in CELLS.columns()}
    others = min(rank[name] for name in ("route", "size", "array", "age"))
    assert rank["took"] < rank["attempt"] < others


def test_a_task_whose_wish_nobody_told_is_marked() -> None:
    assert CELLS.function(row(1, asks_unknown=True)) == ("≈ fn_1", "warning")
    assert CELLS.function(row(1)) == ("fn_1", "text")
