"""Parametrized cases that differ in a value only: some in the README's test command, the rest among the long ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def first_now(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """The cases for `pytest.mark.parametrize`; all behind the first `count` are marked as long."""
    return [case if index < count else _later(case) for index, case in enumerate(cases)]


def these_now(cases: Iterable[Any], now: Collection[Any]) -> list[Any]:
    """The cases for `pytest.mark.parametrize`; all that aren't in `now` are marked as long."""
    return [case if case in now else _later(case) for case in cases]


def _later(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.long)
