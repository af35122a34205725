"""Lanes as reviewed pictures, in both sizes."""

from __future__ import annotations

import pytest

from tests.support.cases import first_now
from tests.support.console.demo.pictures import ANSWERED, SIZES, Matches, Size
from tests.support.console.demo.story import StorySource
from tests.support.console.frozen_console import Look, demo
from tests.support.console.widget_app import Clock


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("by", first_now(["slot", "host", "function"]))
def test_lanes(same: Matches, size: Size, by: str) -> None:
    kind = {"slot": "", "host": "b", "function": "bb"}[by]
    assert same(Look(StorySource(clock=Clock())), size, ["T", ANSWERED, *kind, ANSWERED, *"jjjjj", "left", ANSWERED])


@pytest.mark.long
def test_no_lanes(same: Matches) -> None:
    assert same(Look(demo(0)), (80, 24), ["T", ANSWERED])
