"""The points at which an engine is killed are there: those tests are long ones."""

from __future__ import annotations

import inspect

import pytest

from tests.support.cluster.kill_at import POINTS


@pytest.mark.parametrize("name", POINTS)
def test_a_kill_point_is_a_coroutine_method_of_the_engine(name: str) -> None:
    point = POINTS[name]
    assert inspect.iscoroutinefunction(getattr(point.owner, point.method, None))
