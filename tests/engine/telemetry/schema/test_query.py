"""Filters and orders: what fits, what comes first, and how a filter that makes no sense is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry.schema.messages import PAGE_LIMIT, GetJobPage, JobRow, JobState, Route
from engine.telemetry.schema.query import CODES, SORTS, QueryError, is_stuck, make_page, parse_filter, sort_rows
from tests.support.engine.telemetry_samples import NOW, row

ROW = row(
    0x3F2A,
    JobState.FAILED,
    function="price_Leg",
    manager="gpu-1",
    route="inline-gzip",
    raw_bytes=5000,
    attempt=2,
    job_id="0b5c1d-77:4",
    reason="OutOfMemory: killed",
    exit_code=137,
    duration_s=42.0,
    client="desk-7",
    created=NOW - 900,
    since=NOW - 100,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PRICE",
        "3f2a",
        "77:4",
        "outofmem",
        "price memory",
        "=FAILED",
        "=fail",
        "=F",
        "state:failed",
        "!=RUNNING",
        "!!=FAILED",
        "route:gzip",
        "route:inline-gzip",
        "fn:leg",
        "function:leg",
        "id:3f2a",
        "job:0b5c",
        "reason:killed",
        "manager:GPU",
        "age>10m",
        "age<=800s",
        "age<0.5h",
        "size>=4k",
        "attempt>1",
        "attempt<=2",
        '"price_Leg"',
        'reason:"memory: killed"',
        'fn:price "memory: killed"',
        "fn~^price_(leg|path)$",
        'reason~"memory: +killed"',
        "~killed$",
        "exit=137",
        "exit>0",
        "took>40s",
        "took<=0.7m",
        "for>=100",
        "client:DESK",
    ],
)
def test_a_row_fits(text: str) -> None:
    assert parse_filter(text)(ROW, NOW)
    if text and " " not in text:
        assert not parse_filter(f"!{text}")(ROW, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "value",
        "price value",
        "=RUN",
        "route:s3",
        "age>1h",
        "size<1k",
        "attempt>2",
        "fn:ask",
        "fn~^leg",
        "exit=1",
        "took>1m",
        "for>2m",
        "client:x",
        '"price memory"',
    ],
)
def test_a_row_does_not_fit(text: str) -> None:
    assert not parse_filter(text)(ROW, NOW)


@pytest.mark.parametrize("route", Route)
def test_every_route_is_a_filter(route: Route) -> None:
    fits = parse_filter(f"route:{route.value}")
    assert [other for other in Route if fits(msgspec.structs.replace(ROW, route=other.value), NOW)] == [route]


@pytest.mark.parametrize(
    ("text", "names"),
    [("!", "!"), ("=", "RUNNABLE"), ("=FLYING", "FLYING"), ("route:ftp", "s3"), ("age>soon", "10m"), ("fn:", "value"),
     ("age>5k", "10m"), ("attempt>", "number"), ('"price', "quote"), ("fn~(", "regular expression"), ("fn~", "value"),
     ("fn~(a+)+b", "repeat"), ("fn~.*a.*b.*c", "repeat"), ("fn~(a|aa)+b", "repeat"),
     (f"fn~{'a?' * 25}", "choices"), (r"fn~(a)\1", "back"), ("exit>x", "number")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_sentence(text: str, names: str) -> None:
    with pytest.raises(QueryError, match=names) as refused:
        parse_filter(text)
    assert "\n" not in str(refused.value)


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(QueryError, match="urgency"):
        sort_rows([ROW], "beauty", NOW)


def test_every_state_has_a_code_of_its_own_that_finds_it_alone() -> None:
    assert set(CODES.values()) == set(JobState)
    for code, state in CODES.items():
        fits = parse_filter(f"={code}")
        assert [each for each in JobState if fits(row(1, each), NOW)] == [state]


def test_stuck_is_waiting_too_long_or_waiting_with_a_reason() -> None:
    assert is_stuck(row(1, JobState.RUNNABLE, since=NOW - 601), NOW)
    assert is_stuck(row(1, JobState.RUNNABLE, since=NOW - 1, reason="MISCONFIGURATION:…"), NOW)
    assert not is_stuck(row(1, JobState.RUNNABLE, since=NOW - 599), NOW)
    assert not is_stuck(row(1, JobState.RUNNING, since=NOW - 9999, reason="x"), NOW)


def test_a_job_that_waits_to_be_tried_again_is_not_stuck() -> None:
    reclaimed = row(1, JobState.RUNNABLE, since=NOW - 1, reason="Spot reclaim, attempt 2 of 3", cause="Spot reclaim")
    assert not is_stuck(reclaimed, NOW)


def test_the_most_urgent_are_the_stuck_then_the_failed_then_the_longest_waiting() -> None:
    rows = [
        row(1, JobState.SUCCEEDED),
        row(2, JobState.RUNNING, since=NOW - 5),
        row(3, JobState.RUNNING, since=NOW - 50),
        row(4, JobState.FAILED),
        row(5, JobState.RUNNABLE, since=NOW - 5),
        row(6, JobState.RUNNABLE, since=NOW - 5000),
    ]
    assert [int(each.task_id, 16) for each in sort_rows(rows, "urgency", NOW)] == [6, 4, 5, 3, 2, 1]


states = st.sampled_from(list(JobState))
rows_of_all_kinds = st.lists(
    st.builds(
        row,
        st.integers(0, 10**6),
        states,
        since=st.floats(NOW - 5000, NOW),
        manager=st.sampled_from(["a", "b"]),
        reason=st.sampled_from(["", "x", "y"]),
        raw_bytes=st.integers(0, 10**6),
    ),
    max_size=40,
    unique_by=lambda each: each.task_id,
)


@given(rows_of_all_kinds, st.sampled_from(sorted(SORTS)), st.booleans(), st.integers(0, 20), st.integers(0, 20))
def test_a_window_is_a_part_of_the_whole_order(
    rows: list[JobRow], sort: str, descending: bool, offset: int, limit: int
) -> None:
    whole = make_page(rows, GetJobPage(sort=sort, descending=descending), NOW)
    part = make_page(rows, GetJobPage(sort=sort, descending=descending, offset=offset, limit=limit), NOW)
    assert part.rows == whole.rows[offset : offset + limit]
    assert (part.matching, part.total) == (len(rows), len(rows))
    assert sorted(each.task_id for each in whole.rows) == sorted(each.task_id for each in rows)


@given(rows_of_all_kinds, st.sampled_from(["=RUN", "!=RUN", "reason:x", "age>1h", "size>4k"]))
def test_a_filter_and_its_opposite_share_out_all_rows(rows: list[JobRow], text: str) -> None:
    fitting = make_page(rows, GetJobPage(filter=text), NOW)
    others = make_page(rows, GetJobPage(filter=f"!{text}"), NOW)
    assert fitting.matching + others.matching == len(rows)


def test_a_window_is_bounded_and_of_one_manager() -> None:
    rows = [row(number, manager="a" if number % 2 else "b") for number in range(2 * PAGE_LIMIT + 20)]
    found = make_page(rows, GetJobPage(manager="a", limit=10**9), NOW)
    assert (len(found.rows), found.matching, found.total) == (PAGE_LIMIT, PAGE_LIMIT + 10, len(rows))
    assert make_page(rows, GetJobPage(offset=-5, limit=-5), NOW).rows == ()


def test_ended_rows_age_no_more() -> None:
    took = row(1, JobState.SUCCEEDED, created=NOW - 900, since=NOW - 890)
    assert parse_filter("age<11s")(took, NOW)


def test_what_is_unknown_fits_no_comparison_and_comes_last() -> None:
    ran, runs = row(1, JobState.FAILED, duration_s=5.0, exit_code=1), row(2)
    for text in ("took>0s", "took<1h", "exit>=0", "exit<9"):
        assert parse_filter(text)(ran, NOW)
        assert not parse_filter(text)(runs, NOW)
    assert sort_rows([runs, ran], "took", NOW) == sort_rows([runs, ran], "exit", NOW) == [ran, runs]


@pytest.mark.parametrize(
    ("sort", "first"),
    [("for", {"since": NOW - 900}), ("took", {"duration_s": 9.0}), ("task", {}), ("manager", {"manager": "a"})],
)
def test_every_column_has_an_order(sort: str, first: dict[str, object]) -> None:
    rows = [row(1, **first), row(2, manager="b", duration_s=1.0, since=NOW - 1)]  # type: ignore[arg-type]
    assert sort_rows(rows[::-1], sort, NOW) == rows


def test_an_expression_is_tried_once_for_each_text_and_on_its_beginning_only() -> None:
    long = row(1, reason="a" * 5_000 + "end")
    assert not parse_filter("reason~end$")(long, NOW)


@pytest.mark.parametrize(
    ("word", "fits"),
    [
        ("cause:valueerror", True),
        ("cause:spot", False),
        ("cause~^valueerror", True),
        ("retries>0", True),
        ("retries=2", True),
        ("resubmits>0", False),
    ],
)
def test_what_made_it_fail_and_how_often_it_was_tried_are_words(word: str, fits: bool) -> None:
    failed = row(1, JobState.FAILED, cause="ValueError prices.py:12 price", retries=2)
    assert parse_filter(word)(failed, NOW) is fits


def test_acknowledged_failures_stand_behind_all_that_lives() -> None:
    rows = [row(1, JobState.FAILED, acknowledged=True), row(2, JobState.FAILED), row(3), row(4, JobState.SUCCEEDED)]
    assert [each.task_id[-1] for each in sort_rows(rows, "urgency", NOW)] == ["2", "3", "1", "4"]
