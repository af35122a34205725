"""What the demo says: counting calls, judging results, and the three forms."""

from __future__ import annotations

import json

import pytest

from console.local.api_calls import ApiCalls, tally
from console.local.demo import expected_results
from console.local.demo_report import DemoAnswer, DemoReport, make_report, print_report

CALLS = ApiCalls(batch=3, s3=4, submissions=1)


def report(results: list[int]) -> DemoReport:
    return make_report(len(results), DemoAnswer(results, 1.5), CALLS)


def test_calls_are_summed_by_service() -> None:
    counted = {"batch.SubmitJob": 2, "batch.DescribeJobs": 3, "s3.PutObject": 4, "logs.GetLogEvents": 9}
    assert tally(counted) == ApiCalls(batch=5, s3=4, submissions=2)


def test_only_the_calls_since_the_first_count_matter() -> None:
    assert ApiCalls(9, 8, 7).since(ApiCalls(6, 4, 6)) == ApiCalls(3, 4, 1)


def test_right_results_are_all_right() -> None:
    assert report(expected_results(5)).all_right


@pytest.mark.parametrize("results", [[0, 1, 5], [1, 0, 4]], ids=["wrong value", "wrong order"])
def test_a_wrong_result_is_counted(results: list[int]) -> None:
    assert not report(results).all_right


def test_a_missing_result_is_wrong() -> None:
    assert not make_report(3, DemoAnswer([0, 1], 1.0), CALLS).all_right


def test_json_is_one_object_with_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report([0, 1, 4]), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "tasks": 3,
        "right": 3,
        "seconds": 1.5,
        "submissions": 1,
        "batch_calls": 3,
        "s3_calls": 4,
        "polled_calls": 12,
        "results": [0, 1, 4],
    }


def test_without_a_terminal_it_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report([0, 1, 4]), as_json=False)
    out = capsys.readouterr().out
    assert out.startswith("[0, 1, 4]\nresults right: 3 of 3\nwall time: 1.50 s\n")
    assert out.isascii()


def test_many_results_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report(expected_results(60)), as_json=False)
    assert "2401, and 10 more]" in capsys.readouterr().out
