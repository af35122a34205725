"""The engine screen: every link with its ages and its error, the process, and the calls that failed last."""

from __future__ import annotations

from collections.abc import Sequence

from console.tui.drawing.glyphs import UNICODE
from console.tui.drawing.spans import Line
from console.tui.health.engine_lines import call_lines, light_lines, process_lines
from engine.model import CallStats, Link, LinkId
from engine.telemetry.schema.messages import Budget, BudgetUnit, BudgetView, CodeView, Price, Usage
from tests.support.console.single_pane import manager_view, snapshot_of
from tests.support.console.widget_samples import NOW

DOWN = Link("scheduler", False, NOW - 38, "no echo", id=LinkId.SCHEDULER, heard_at=NOW - 40)
EXPIRES = Link("AWS credentials", True, NOW - 900, "eu-west-1", NOW + 3_000, LinkId.CREDENTIALS)


def texts(lines: Sequence[Line]) -> list[str]:
    return [" ".join("".join(text for text, _ in line).split()) for line in lines]


def test_each_link_has_its_state_its_ages_and_what_is_wrong() -> None:
    lines = texts(light_lines([manager_view(links=(DOWN, EXPIRES))], NOW, UNICODE, 118))
    assert lines[0] == "scheduler is down: no echo"
    assert "scaler_scheduler runs" in lines[1]
    assert "▲ scheduler down 38s 40s no echo" in lines
    assert "● AWS credentials up 15m – eu-west-1; expires in 50m00s" in lines


def test_what_is_well_is_said_and_several_managers_are_named() -> None:
    views = [manager_view(links=(EXPIRES,)), manager_view(manager="gpu", links=(EXPIRES,))]
    lines = texts(light_lines(views, NOW, UNICODE, 118))
    assert [line for line in lines if "all is well" in line] == ["● spot: all is well", "● gpu: all is well"]


def test_what_jobs_cost_is_told_with_the_price_and_the_budget() -> None:
    price = Price(note="denied: grant pricing:GetProducts to the worker manager's role")
    usage = Usage(7200.0, 14400.0, 0.0, 0.0, 8.0, 16.0)
    hours = BudgetView(Budget(2.0, BudgetUnit.VCPU_HOURS), 2.0, True)
    lines = texts(light_lines([manager_view(price=price, usage=usage, budget=hours)], NOW, UNICODE, 118))
    assert lines[-3:] == [
        "cost 2.00 vCPU-hours spent; 8 vCPUs now",
        "price unknown: denied: grant pricing:GetProducts to the worker manager's role",
        "budget 2.00 of 2 vCPU-hours; paused: the budget of 2 vCPU-hours is spent; :budget 3.2vcpuh goes on",
    ]


def test_the_code_that_jobs_get_is_told_by_its_short_hash() -> None:
    code = CodeView("99b81179a33f" + "0" * 52, NOW - 180, 14, 35_000)
    lines = texts(light_lines([manager_view(code=code)], NOW, UNICODE, 118))
    assert lines[-1] == "code 99b81179a33f, 14 files of 34K, pushed 3m ago"


def test_the_process_is_told_with_its_cost() -> None:
    told = " | ".join(texts(process_lines(snapshot_of(), UNICODE, 118)))
    for words in ("CPU 10% of a core", "memory 48M", "loop lag 1 ms", "log level INFO", "viewers 0", "0.1.0"):
        assert words in told


def test_the_call_that_failed_last_comes_first() -> None:
    calls = [CallStats("A", 9), CallStats("B", 9, 1, last_error="SlowDown", last_error_at=NOW - 41)]
    lines = texts(call_lines(calls, NOW, UNICODE, 118))
    assert lines[1].startswith("B ")
    assert lines[1].endswith("41s ago: SlowDown")
    assert lines[2].startswith("A ")


def test_at_80_columns_the_last_error_and_the_process_are_whole() -> None:
    calls = [CallStats("batch.SubmitJob", 9, 1, last_error="SlowDown", last_error_at=NOW - 41)]
    assert texts(call_lines(calls, NOW, UNICODE, 78))[1].endswith("41s ago: SlowDown")
    assert max(len("".join(text for text, _ in line)) for line in call_lines(calls, NOW, UNICODE, 78)) <= 78
    assert UNICODE.ellipsis not in " ".join(texts(process_lines(snapshot_of(), UNICODE, 78)))


def test_hosts_that_no_job_has_are_told_among_what_is_wasted() -> None:
    idle, busy = (texts(light_lines([manager_view(idle_vcpus=vcpus)], NOW, UNICODE, 118)) for vcpus in (6.0, 0.0))
    assert idle[-1] == "wasted now 6 vCPUs of hosts without a job of this manager"
    assert not [line for line in busy if line.startswith("wasted")]
