"""Several engines as reviewed pictures: all managers in both sizes, one engine's dashboard, and a dialog about it."""

from __future__ import annotations

import pytest

from tests.support.console.demo.pictures import ANSWERED, LARGE, SMALL, Matches, Size
from tests.support.console.demo.source import DemoSource
from tests.support.console.frozen_console import Look, connecting, demo, troubled


def engines(*, may_control: bool = False) -> Look:
    """One that is well, one of two managers in trouble, one that is still to be heard."""
    risk = demo(200, managers=("risk-gpu", "risk-cpu"), may_control=may_control)
    others: dict[str, DemoSource] = {"risk": risk, "night": troubled(), "hpc-02:27500": connecting()}
    return Look(demo(may_control=may_control), others=others)


@pytest.mark.long
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_managers_of_several_engines(same: Matches, size: Size) -> None:
    assert same(engines(), size, ["A", ANSWERED, *"jjjj", ANSWERED])


@pytest.mark.long
def test_dashboard_of_one_of_several_engines(same: Matches) -> None:
    assert same(engines(), LARGE, [")", ANSWERED])


@pytest.mark.long
def test_a_dialog_names_its_engine(same: Matches) -> None:
    assert same(engines(may_control=True), SMALL, [")", ANSWERED, *"jK"])
