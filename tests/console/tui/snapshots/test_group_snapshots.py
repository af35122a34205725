"""Groups, failures and events as reviewed pictures, in both sizes."""

from __future__ import annotations

import pytest

from tests.support.console.demo.pictures import ANSWERED, LARGE, SIZES, SMALL, Matches, Size
from tests.support.console.frozen_console import Look, demo, spending


@pytest.mark.parametrize("size", SIZES)
def test_groups_by_function(same: Matches, size: Size) -> None:
    assert same(Look(demo(), group_by="function"), size, [ANSWERED, "j", "j"])


@pytest.mark.parametrize("size", SIZES)
def test_what_functions_cost_and_need_with_the_budget_spent(same: Matches, size: Size) -> None:
    assert same(Look(spending(), group_by="function"), size, [ANSWERED, "j", "j"])


@pytest.mark.parametrize("size", SIZES)
def test_groups_by_reason_of_what_failed_or_waits(same: Matches, size: Size) -> None:
    assert same(Look(demo(), group_by="reason"), size, [ANSWERED, "/", *"!=OK", "enter", ANSWERED])


@pytest.mark.long
def test_the_jobs_of_a_group(same: Matches) -> None:
    assert same(Look(demo(), group_by="function"), LARGE, [ANSWERED, "j", "enter", "j"])


@pytest.mark.parametrize("size", SIZES)
def test_failures_by_cause(same: Matches, size: Size) -> None:
    assert same(Look(demo(5_000)), size, ["F", ANSWERED, "j", "j", ANSWERED, ANSWERED])


def test_no_failures(same: Matches) -> None:
    assert same(Look(demo(0)), SMALL, ["F", ANSWERED])


@pytest.mark.parametrize("size", SIZES)
def test_events(same: Matches, size: Size) -> None:
    assert same(Look(demo()), size, ["E", ANSWERED, "j", "j", ANSWERED])


def test_no_events(same: Matches) -> None:
    assert same(Look(demo(0)), SMALL, ["E", ANSWERED])
