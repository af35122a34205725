"""Terminal capabilities: locale and type."""

from __future__ import annotations

import pytest

from console.terminal import prefers_ascii, why_no_console


@pytest.mark.parametrize(
    ("locale", "ascii_only"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LC_ALL": "ja_JP.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
    ],
)
def test_signs_are_plain_where_the_locale_cannot_be_trusted(locale: dict[str, str], ascii_only: bool) -> None:
    assert prefers_ascii(locale) is ascii_only


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_terminal_without_a_type_is_no_place_for_a_console(term: str) -> None:
    assert "TERM" in why_no_console({"TERM": term})
