"""Filters and orders over job rows: the same words for the engine's pages and for a viewer's own rows.

A filter is words; a row must fit all of them (`parse_filter` says which words there are). An order is a name of
`SORTS`. Everything here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import inf
from operator import attrgetter, eq, ge, gt, le, lt
from typing import Any, Final

from engine.model import Route
from engine.telemetry.schema.expressions import QueryError as QueryError
from engine.telemetry.schema.expressions import safe_search
from engine.telemetry.schema.groups import GroupBy, cause_of
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

_WORDS: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_COMPARISON: Final = re.compile(r"(age|for|took|size|attempt|exit|retries|resubmits)(<=|>=|<|>|=)(.*)", re.DOTALL)
_EXACT: Final = re.compile(rf"({'|'.join(GroupBy)})==(.*)", re.DOTALL)
_OPERATORS: Final = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq}
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES: Final = {"": 1, "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1024**2, "mb": 1024**2, "mib": 1024**2}
_ROUTES: Final = {**{route.value: route for route in Route}, **{word: route for route, word in ROUTE_WORDS.items()}}
_FIELDS: Final = ("fn", "function", "id", "job", "manager", "client", "reason", "cause", "route", "state")
_NAMES: Final = {"fn": "function", "id": "task_id", "job": "job_id"}
_EXPRESSION: Final = re.compile(r"(fn|function|manager|client|reason|cause|)~(.*)", re.DOTALL)


# ---- filters


def parse_filter(text: str) -> Predicate:
    """Parse a filter into a predicate over a row and the engine's time (seconds since the epoch).

    Words stand between blanks and must all fit: `word` is found in function, task id, job id or reason (upper or lower
    case); `=FAILED`, `=RBL`, `=run` is the state by its name, code or beginning; `route:s3`, `fn:price`,
    `reason:memory`, `cause:spot`, `manager:gpu`, `client:desk`, `id:3f2a`, `job:…`, `state:…`; `fn~^price_` a regular
    expression, of `manager`, `client`, `reason`, `cause`, too, `~text` of function or reason; `function==price_leg`,
    `submission==…`, `client==…`, `reason==…` is the whole of it, as groups are told apart, with _ for blanks;
    `age>10m`, `for>5m` (in its state), `took>30s`, `size>=4k`, `attempt>1`, `retries>0`, `resubmits>0`, `exit=137`;
    `!` before any of them turns it around. Quotes keep blanks together: `reason:"Host EC2"`. Raises `QueryError`.
    """
    if text.count('"') % 2:
        raise QueryError('a quote is not closed: write " behind the last word that belongs to it')
    tests = [_word(word) for word in _WORDS.findall(text)]
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
    if exact := _EXACT.fullmatch(word):
        return _exactly(GroupBy(exact[1]), exact[2])
    if compared := _COMPARISON.fullmatch(word):
        return _comparison(*compared.groups())
    if expression := _EXPRESSION.fullmatch(word):
        return _expression(expression[1], _unquoted(expression[2]))
    field, colon, value = word.partition(":")
    if colon and field.lower() in _FIELDS:
        return _field(field.lower(), _unquoted(value))
    return _anywhere(_unquoted(word).lower())


def _unquoted(text: str) -> str:
    return text.replace('"', "")


def _expression(field: str, text: str) -> Predicate:
    """Few texts are different, so that each is tried once."""
    found = lru_cache(maxsize=4096)(safe_search(f"{field}~", text))
    if not field:
        return lambda row, now: found(row.function) or found(row.reason)
    read = attrgetter(_NAMES.get(field, field))
    return lambda row, now: found(read(row))


def group_word(by: GroupBy, key: str) -> str:
    """Word of a filter that exactly the jobs of a group fit."""
    return f"{by.value}=={_joined(key)}"


def group_key(row: JobRow, by: GroupBy) -> str:
    """Key of a row's group of one kind."""
    if by is GroupBy.FUNCTION:
        return row.function
    if by is GroupBy.CLIENT:
        return row.client
    if by is GroupBy.SUBMISSION:
        return row.job_id.partition(":")[0] if row.array_size else ""
    return cause_of(row.reason, row.cause)


def _joined(text: str) -> str:
    return "_".join(text.split())


def _exactly(by: GroupBy, key: str) -> Predicate:
    return lambda row, now: _joined(group_key(row, by)) == key


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
    read = attrgetter(_NAMES.get(field, field))
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
    units, expected, read = _COMPARED[field]
    wanted = _amount(field, value, units, expected)

    def fits(row: JobRow, now: float) -> bool:
        found = read(row, now)
        return found is not None and bool(compare(found, wanted))

    return fits


def parse_seconds(name: str, text: str) -> float:
    """Parse a time like `90s`, `10m`, `2h` into seconds; `name` is what the error calls it. Raises `QueryError`."""
    matched = _NUMBER.fullmatch(text.strip())
    if matched is None or matched[2].lower() not in _SECONDS:
        raise QueryError(f"{name} is {text!r}, but must be a time like 30s, 10m, 2h")
    return float(matched[1]) * _SECONDS[matched[2].lower()]


def _amount(field: str, text: str, units: Mapping[str, int], expected: str) -> float:
    matched = _NUMBER.fullmatch(text)
    if matched is None or matched[2].lower() not in units:
        raise QueryError(f"{field} needs {expected}, not {text!r}")
    return float(matched[1]) * units[matched[2].lower()]


_TIME: Final = "a time like 30s, 10m, 2h"
_COMPARED: Final[Mapping[str, tuple[Mapping[str, int], str, Callable[[JobRow, float], float | None]]]] = {
    "age": (_SECONDS, _TIME, lambda row, now: row_age(row, now)),
    "for": (_SECONDS, _TIME, lambda row, now: now - row.since),
    "took": (_SECONDS, _TIME, lambda row, now: row.duration_s),
    "size": (_BYTES, "a size like 4096, 4k, 1m", lambda row, now: row.raw_bytes),
    "attempt": ({"": 1}, "a number", lambda row, now: row.attempt),
    "exit": ({"": 1}, "a number", lambda row, now: row.exit_code),
    "retries": ({"": 1}, "a number", lambda row, now: row.retries),
    "resubmits": ({"": 1}, "a number", lambda row, now: row.resubmits),
}
"""Units, what is expected, and how it is read, None where it isn't known."""


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
        return -2, row.since
    if row.straggles:
        return -1, row.since
    if row.acknowledged:
        return _URGENCY[JobState.CANCELLED], -row.since
    # what ended is interesting while it is new, what lives the longer it has waited
    return _URGENCY[state], -row.since if state in ENDED else row.since


def _place_in_array(row: JobRow) -> tuple[str, int]:
    parent, _, index = row.job_id.rpartition(":")
    return parent, int(index) if parent and index.isdigit() else -1


SORTS: Final[Mapping[str, SortKey]] = {
    "urgency": _urgency,
    "state": lambda row, now: (_ORDER[row.state], row.since),
    "age": lambda row, now: -row_age(row, now),
    "function": lambda row, now: row.function,
    "route": lambda row, now: (row.route, -row.raw_bytes),
    "size": lambda row, now: -row.raw_bytes,
    "attempt": lambda row, now: -row.attempt,
    "reason": lambda row, now: (not row.reason, row.reason),
    "for": lambda row, now: row.since,
    "took": lambda row, now: -row.duration_s if row.duration_s is not None else inf,
    "exit": lambda row, now: -row.exit_code if row.exit_code is not None else inf,
    "task": lambda row, now: row.task_id,
    "array": lambda row, now: _place_in_array(row),
    "manager": lambda row, now: row.manager,
}
"""Orders by name: first the stuck, the stragglers, the failed; the oldest, the biggest, the most attempts, those with a
reason, the longest in their state, the slowest."""


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
