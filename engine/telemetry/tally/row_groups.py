"""Groups out of rows: what `JobGroups` counts as jobs change, counted once over the rows that there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from engine.telemetry.schema.messages import (
    ENDED,
    GROUP_SORTS,
    GROUPS_LIMIT,
    GetGroups,
    GroupBy,
    Groups,
    JobGroup,
    JobRow,
    JobState,
    sort_groups,
)
from engine.telemetry.schema.query import QueryError, group_key, parse_filter, select_rows
from engine.telemetry.tally.group_tally import GroupTally, enter_job
from engine.telemetry.tally.usage import Rates, UsageMeter, add_run, begin_run

_Key = tuple[str, str]
"""Manager and the group's key."""


NO_RATES: Final[Rates] = {}


def group_rows(rows: Iterable[JobRow], wanted: GetGroups, now: float, rates: Rates = NO_RATES) -> Groups:
    """Answer a `GetGroups` out of `rows`, which are all that there are. Raises `QueryError`."""
    check_groups(wanted)
    return make_groups(tally_rows(rows, wanted, now, rates), wanted, now, rows_only=True)


def check_groups(wanted: GetGroups) -> None:
    """Raise `QueryError` for a request that can't be answered."""
    parse_filter(wanted.filter)
    if wanted.by not in tuple(GroupBy):
        raise QueryError(f"jobs can't be grouped by {wanted.by}: one of {', '.join(GroupBy)}")
    if wanted.sort not in GROUP_SORTS:
        raise QueryError(f"{wanted.sort} is no order of groups: one of {', '.join(GROUP_SORTS)}")


def make_groups(groups: Iterable[JobGroup], wanted: GetGroups, now: float, *, rows_only: bool) -> Groups:
    """Sort groups, and cut them to the limit."""
    found = sort_groups(groups, wanted.sort, descending=wanted.descending)
    limit = max(0, min(wanted.limit, GROUPS_LIMIT))
    counts: Counter[JobState] = Counter()
    for group in found:
        counts.update(group.counts)
    return Groups(wanted.by, tuple(found[:limit]), len(found), counts.total(), now, rows_only, dict(counts))


def tally_rows(rows: Iterable[JobRow], wanted: GetGroups, now: float, rates: Rates = NO_RATES) -> list[JobGroup]:
    """Count the rows that fit into groups. Raises `QueryError`."""
    groups: dict[_Key, GroupTally] = {}
    stragglers: Counter[_Key] = Counter()
    by = GroupBy(wanted.by)
    for row in select_rows(rows, wanted.filter, wanted.manager, now):
        key = row.manager, group_key(row, by)
        group = groups.get(key)
        if group is None:
            group = groups[key] = GroupTally(key[1], row.created)
        _count(group, row, now)
        stragglers[key] += row.straggles
    return [
        group.view(key[0], now, more=False, stragglers=stragglers[key], rate=rates.get(key[0]), rows_only=True)
        for key, group in groups.items()
    ]


def _count(group: GroupTally, row: JobRow, now: float) -> None:
    changed_at = max(group.changed_at, row.since)
    enter_job((group,), row.state, row.since, now)
    group.changed_at = changed_at
    group.retries += max(0, row.attempt - 1)
    if row.state in ENDED and row.duration_s is not None:
        group.tooks.add(row.duration_s)
        group.runs.add(row.duration_s)
    _count_usage(group.usage, row)


def _count_usage(meter: UsageMeter, row: JobRow) -> None:
    """Count what its runs have used: those that ended without ending the task gave no result."""
    begun, over = row.times[1::2], row.times[2::2]
    if row.demand is None:
        meter.unmeasured += 1
        return
    amount, goes_on = complex(*row.demand), len(begun) > len(over)
    add_run((meter,), amount, sum(over) - sum(begun[: len(over)]), wasted=True)
    if row.state in ENDED:
        last_s = row.since - begun[-1] if goes_on else 0.0 if begun else row.duration_s or 0.0
        add_run((meter,), amount, last_s, wasted=row.state is not JobState.SUCCEEDED)
    elif goes_on:
        begin_run((meter,), amount, begun[-1])
