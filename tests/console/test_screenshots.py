"""Pictures of the documentation are what the console draws today."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from docs.screenshots import FOLDER, PICTURES, picture
from tests.support.cases import first_now


@pytest.fixture
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.delenv("NO_COLOR", raising=False)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_utc")
@pytest.mark.parametrize("name", first_now(PICTURES, 2))
async def test_a_picture_is_current(name: str) -> None:
    refresh = "look at it after: TZ=UTC python docs/screenshots.py"
    assert await picture(name) == (FOLDER / f"{name}.svg").read_text(), refresh
