"""Fixtures of all pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.console.demo.pictures import Matches, comparing


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are the same wherever this runs."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.delenv("NO_COLOR", raising=False)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def same(snap_compare: Matches) -> Matches:
    """Whether the picture of a look is the expected one."""
    return comparing(snap_compare)
