"""Parametrized cases that differ in a value only: some in the README's test command, the rest among the long ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def first_now(cases: Iterable[Any], count: int = 1, *, tuples: bool = False) -> list[Any]:
    """The cases for `pytest.mark.parametrize`; all behind the first `count` are marked as long.

    With `tuples` a case is one value that is a tuple, otherwise a tuple holds several.
    """
    values = [(case,) if tuples or not isinstance(case, tuple) else case for case in cases]
    return [pytest.param(*one, marks=pytest.mark.long if index >= count else ()) for index, one in enumerate(values)]


def these_now(cases: Iterable[Any], now: Collection[Any]) -> list[Any]:
    """The cases for `pytest.mark.parametrize`; all that aren't in `now` are marked as long."""
    return [case if case in now else _later(case) for case in cases]


def _later(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.long)
