"""Report of `local --demo` at its end: on a terminal a table, elsewhere lines, for programs JSON."""

from __future__ import annotations

import sys
from typing import Final

import msgspec

from console.local.api_calls import ApiCalls
from console.local.demo import expected_results

SHOWN_RESULTS: Final = 50

# SubmitJob, one DescribeJobs at the very least, and GetObject and DeleteObject of the result.
POLLED_CALLS_PER_TASK: Final = 4


class DemoAnswer(msgspec.Struct, frozen=True):
    """The demo client's output: what came back, and the seconds from the first submission to the last result."""

    results: list[int]
    seconds: float


class DemoReport(msgspec.Struct, frozen=True, kw_only=True):
    """Results, time and API calls of a demo.

    `polled_calls` is the least that one job a task, each of them polled, would have cost.
    """

    tasks: int
    right: int
    seconds: float
    submissions: int
    batch_calls: int
    s3_calls: int
    polled_calls: int
    results: list[int]

    @property
    def all_right(self) -> bool:
        """True when every task returned its right value."""
        return self.right == self.tasks


def make_report(count: int, answer: DemoAnswer, calls: ApiCalls) -> DemoReport:
    """Compare the answer with what it should be, and put the manager's calls beside it."""
    pairs = zip(answer.results, expected_results(count), strict=False)
    return DemoReport(
        tasks=count,
        right=sum(got == expected for got, expected in pairs),
        seconds=round(answer.seconds, 3),
        submissions=calls.submissions,
        batch_calls=calls.batch,
        s3_calls=calls.s3,
        polled_calls=POLLED_CALLS_PER_TASK * count,
        results=answer.results,
    )


def print_report(report: DemoReport, *, as_json: bool) -> None:
    """Write the report to standard output."""
    if as_json:
        print(msgspec.json.encode(report).decode())
    elif sys.stdout.isatty():
        _print_table(report)
    else:
        print("\n".join((_shown_results(report), *(f"{name}: {value}" for name, value in rows(report)))))


def rows(report: DemoReport) -> list[tuple[str, str]]:
    """List the report's figures as names and texts, in the order in which they are shown."""
    made = report.batch_calls + report.s3_calls
    return [
        ("results right", f"{report.right} of {report.tasks}"),
        ("wall time", f"{report.seconds:.2f} s"),
        ("job submissions", str(report.submissions)),
        ("AWS Batch API calls", str(report.batch_calls)),
        ("S3 API calls", str(report.s3_calls)),
        ("one job a task, each polled", f"at least {report.polled_calls} calls (here: {made})"),
    ]


def _shown_results(report: DemoReport) -> str:
    shown = ", ".join(map(str, report.results[:SHOWN_RESULTS]))
    more = len(report.results) - SHOWN_RESULTS
    return f"[{shown}{f', and {more} more' if more > 0 else ''}]"


def _print_table(report: DemoReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, title=f"x ** 2 over range({report.tasks})", title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows(report):
        table.add_row(name, value, style=None if report.all_right else "red")
    console = Console(highlight=False)
    console.print(_shown_results(report), markup=False)
    console.print(table)
