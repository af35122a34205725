"""The server of `attach --web`, once for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.web.served_console import WebConsole, serve_console


@pytest.fixture(scope="session")
def web_console() -> Iterator[WebConsole]:
    with serve_console() as served:
        yield served
