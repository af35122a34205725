"""The web console's server: its port, and what a browser may tell it."""

from __future__ import annotations

import pytest

from console.web.server import listen
from console.web.visitor import bounded, parse
from engine.errors import ConfigError


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with listen(0) as taken, pytest.raises(ConfigError, match="can't be listened on"):
        listen(taken.getsockname()[1])


def test_it_listens_on_loopback_only() -> None:
    with listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(("text", "value"), [("", None), ("{", None), ('["focus"]', ["focus"])])
def test_what_is_no_json_is_nothing(text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(("cells", "used"), [(-5, 1), (0, 1), (120, 120), (10**9, 1000)])
def test_a_size_that_a_browser_claims_is_bounded(cells: int, used: int) -> None:
    assert bounded(cells, 1000) == used
