"""Filters and orders over job rows: the same words for the engine's pages and for a viewer's own rows.

A filter is words; a row must fit all of them (`parse_filter` says which words there are). An order is a name of
`SORTS`. Everything here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter, ge, gt, le, lt
from typing import Any, Final

from engine.model import Route
from engine.telemetry.schema.messages import ENDED, PAGE_LIMIT, GetJobPage, JobPage, JobRow, JobState

Predicate = Callable[[JobRow, float], bool]
SortKey = Callable[[JobRow, float], Any]

STUCK_S: Final = 600.0
"""RUNNABLE for longer than this is a problem, unless a rule says otherwise."""

CODES: Final[Mapping[str, JobState]] = {
    "QUE": JobState.QUEUED,
    "SUB": JobState.SUBMITTED,
    "PEN": JobState.PENDING,
    "RBL": JobState.RUNNABLE,
    "STA": JobState.STARTING,
    "RUN": JobState.RUNNING,
    "OK": JobState.SUCCEEDED,
    "FAIL": JobState.FAILED,
    "CAN": JobState.CANCELLED,
    "UNK": JobState.UNKNOWN,
}
"""The short names of the states that narrow columns show."""
ROUTE_WORDS: Final[Mapping[str, str]] = {Route.GZIP: "gzip"}
"""The short names of the routes that narrow columns show; a filter takes them, too."""

_COMPARISON: Final = re.compile(r"(age|size|attempt)(<=|>=|<|>)(.*)", re.DOTALL)
_OPERATORS: Final = {"<": lt, "<=": le, ">": gt, ">=": ge}
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES: Final = {"": 1, "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1024**2, "mb": 1024**2, "mib": 1024**2}
_ROUTES: Final = {**{route.value: route for route in Route}, **{word: route for route, word in ROUTE_WORDS.items()}}
_FIELDS: Final = ("fn", "function", "id", "job", "manager", "reason", "route", "state")


class QueryError(ValueError):
    """Refusal of a filter, an order or an id, in one sentence."""


# ---- filters


def parse_filter(text: str) -> Predicate:
    """Parse a filter into a predicate over a row and the engine's time (seconds since the epoch).

    Words stand between blanks and must all fit: `word` is found in function, task id, job id or reason (upper or lower
    case); `=FAILED`, `=RBL`, `=run` is the state by its name, code or beginning; `route:s3`, `fn:price`,
    `reason:memory`, `manager:gpu`, `id:3f2a`, `job:…`, `state:…`; `age>10m`, `size>=4k`, `attempt>1`; `!` before any
    of them turns it around. Raises `QueryError`.
    """
    tests = [_word(word) for word in text.split()]
    if len(tests) == 1:
        return tests[0]
    return lambda row, now: all(test(row, now) for test in tests)


def _word(word: str) -> Predicate:
    if word.startswith("!"):
        if word == "!":
            raise QueryError("! stands alone: write what must not fit behind it, like !=RUNNING")
        test = _word(word[1:])
        return lambda row, now: not test(row, now)
    if word.startswith("="):
        return _state(word[1:])
    if compared := _COMPARISON.fullmatch(word):
        return _comparison(*compared.groups())
    field, colon, value = word.partition(":")
    if colon and field.lower() in _FIELDS:
        return _field(field.lower(), value)
    return _anywhere(word.lower())


def _anywhere(text: str) -> Predicate:
    def fits(row: JobRow, now: float) -> bool:
        return text in row.function.lower() or text in row.task_id or text in row.job_id or text in row.reason.lower()

    return fits


def _field(field: str, value: str) -> Predicate:
    if not value:
        raise QueryError(f"{field}: needs a value behind the colon")
    if field == "state":
        return _state(value)
    if field == "route":
        return _route(value.lower())
    read = attrgetter({"fn": "function", "id": "task_id", "job": "job_id"}.get(field, field))
    wanted = value.lower()
    return lambda row, now: wanted in read(row).lower()


def _route(value: str) -> Predicate:
    if value not in _ROUTES:
        raise QueryError(f"route:{value} is no route: one of {', '.join(_ROUTES)}")
    route = _ROUTES[value]
    return lambda row, now: row.route == route


def _state(text: str) -> Predicate:
    wanted = text.upper()
    named = [CODES[wanted]] if wanted in CODES else [state for state in JobState if state.value.startswith(wanted)]
    if not wanted or not named:
        raise QueryError(f"={text} is no state: one of {', '.join(JobState)}, or {', '.join(CODES)}")
    states = frozenset(named)
    return lambda row, now: row.state in states


def _comparison(field: str, sign: str, value: str) -> Predicate:
    compare = _OPERATORS[sign]
    if field == "age":
        seconds = _amount(field, value, _SECONDS, "a time like 30s, 10m, 2h")
        return lambda row, now: compare(row_age(row, now), seconds)
    if field == "size":
        size = _amount(field, value, _BYTES, "a size like 4096, 4k, 1m")
        return lambda row, now: compare(row.raw_bytes, size)
    number = _amount(field, value, {"": 1}, "a number")
    return lambda row, now: compare(row.attempt, number)


def _amount(field: str, text: str, units: Mapping[str, int], expected: str) -> float:
    matched = _NUMBER.fullmatch(text)
    if matched is None or matched[2].lower() not in units:
        raise QueryError(f"{field} is compared with {text!r}, but must be compared with {expected}")
    return float(matched[1]) * units[matched[2].lower()]


# ---- derived from a row


def row_age(row: JobRow, now: float) -> float:
    """Seconds since the manager got the task; of an ended one, how long it took."""
    return (row.since if row.state in ENDED else now) - row.created


def is_stuck(row: JobRow, now: float, rule: float = STUCK_S) -> bool:
    """True when it waits in RUNNABLE for longer than `rule` seconds, or Batch says why it can't go on.

    The cause of its last attempt's end is no such reason: it waits to be tried again.
    """
    return row.state is JobState.RUNNABLE and (now - row.since > rule or bool(row.reason and not row.cause))


# ---- orders

_URGENCY: Final = {
    JobState.FAILED: 0,
    JobState.UNKNOWN: 1,
    JobState.RUNNABLE: 2,
    JobState.RUNNING: 3,
    JobState.STARTING: 4,
    JobState.SUBMITTED: 5,
    JobState.PENDING: 6,
    JobState.QUEUED: 7,
    JobState.CANCELLED: 8,
    JobState.SUCCEEDED: 9,
}
_ORDER: Final = {state: place for place, state in enumerate(JobState)}


def _urgency(row: JobRow, now: float) -> tuple[int, float]:
    state = row.state
    if state is JobState.RUNNABLE and is_stuck(row, now):
        return -1, row.since
    # what ended is interesting while it is new, what lives the longer it has waited
    return _URGENCY[state], -row.since if state in ENDED else row.since


SORTS: Final[Mapping[str, SortKey]] = {
    "urgency": _urgency,
    "state": lambda row, now: (_ORDER[row.state], row.since),
    "age": lambda row, now: -row_age(row, now),
    "function": lambda row, now: row.function,
    "route": lambda row, now: (row.route, -row.raw_bytes),
    "size": lambda row, now: -row.raw_bytes,
    "attempt": lambda row, now: -row.attempt,
    "reason": lambda row, now: (not row.reason, row.reason),
}
"""Orders by name: first the stuck and the failed, the oldest, the biggest, the most attempts, those with a reason."""


def sort_key(name: str) -> SortKey:
    """Key function of the order `name`. Raises `QueryError`."""
    if name not in SORTS:
        raise QueryError(f"{name} is no order: one of {', '.join(SORTS)}")
    return SORTS[name]


def sort_rows(rows: Iterable[JobRow], sort: str, now: float, *, descending: bool = False) -> list[JobRow]:
    """Sort rows by the order `sort`; `descending` turns it around. Raises `QueryError`."""
    key = sort_key(sort)
    return sorted(rows, key=lambda row: key(row, now), reverse=descending)


def select_rows(rows: Iterable[JobRow], filter: str, manager: str, now: float) -> list[JobRow]:
    """Select rows of `manager` (empty: of all) that fit the filter. Raises `QueryError`."""
    if not filter.split():
        return [row for row in rows if not manager or row.manager == manager]
    fits = parse_filter(filter)
    return [row for row in rows if (not manager or row.manager == manager) and fits(row, now)]


def make_page(rows: Iterable[JobRow], wanted: GetJobPage, now: float) -> JobPage:
    """Answer a `GetJobPage` out of all `rows`. Raises `QueryError`."""
    everything = list(rows)
    fitting = select_rows(everything, wanted.filter, wanted.manager, now)
    sorted_rows = sort_rows(fitting, wanted.sort, now, descending=wanted.descending)
    start = max(0, wanted.offset)
    count = max(0, min(wanted.limit, PAGE_LIMIT))
    return JobPage(tuple(sorted_rows[start : start + count]), len(fitting), len(everything), now)
