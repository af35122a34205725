"""Groups of jobs as a table or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.telemetry.schema.messages import Groups, JobGroup

TITLES: Final = (
    "jobs",
    "done",
    "failed",
    "running",
    "waiting",
    "p50",
    "p95",
    "retries",
    "memory",
    "cost",
    "vCPU-h",
    "left",
)


def print_groups_json(found: Groups) -> None:
    """Print the groups as one JSON object; what is unknown is null."""
    import msgspec

    from console.cli.printing import print_json
    from engine.telemetry.schema.messages import VERSION

    fields = found.groups[0].__struct_fields__ if found.groups else ()
    groups = [{name: msgspec.to_builtins(getattr(group, name)) for name in fields} for group in found.groups]
    print_json(
        {
            "version": VERSION,
            "at": found.at,
            "by": found.by,
            "matching": found.matching,
            "total": found.total,
            "rows_only": found.rows_only,
            "groups": groups,
        }
    )


def print_groups(found: Groups) -> None:
    """Print the groups as a table."""
    from console.cli.printing import print_table

    several = len({group.manager for group in found.groups}) > 1
    titles = (*(("manager",) if several else ()), *TITLES, found.by)
    rows = [(*((group.manager,) if several else ()), *_cells(group)) for group in found.groups]
    print_table(titles, rows, TITLES)


def _cells(group: JobGroup) -> tuple[str, ...]:
    from console.format import UNKNOWN, count, eta, hours, money, size, span
    from engine.telemetry.schema.messages import JobState

    counts = group.counts
    return (
        count(group.jobs),
        count(counts.get(JobState.SUCCEEDED, 0)),
        count(counts.get(JobState.FAILED, 0)),
        count(counts.get(JobState.RUNNING, 0)),
        count(group.waiting),
        span(group.p50_s),
        span(group.p95_s),
        count(group.retries),
        size(group.peak_bytes),
        money(group.usage.money if group.usage else None),
        hours(group.usage.vcpu_hours if group.usage else None),
        eta(group.forecast, ascii=False),
        group.key or UNKNOWN,
    )
