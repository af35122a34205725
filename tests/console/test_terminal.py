"""Terminal capabilities: locale and type."""

from __future__ import annotations

import subprocess
import sys

import pytest

from console.terminal import prefers_ascii, why_no_console
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("locale", "ascii_only"),
    [
        ({}, True),
        ({"LANG": "C"}, True),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LC_ALL": "ja_JP.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "en_GB.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "en_GB.UTF-8"}, False),
    ],
)
def test_signs_are_plain_where_the_locale_cannot_be_trusted(locale: dict[str, str], ascii_only: bool) -> None:
    assert prefers_ascii(locale) is ascii_only


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LANG": "POSIX"}, {}])
def test_a_python_that_has_coerced_its_locale_still_sees_a_plain_one(locale: dict[str, str]) -> None:
    program = "import os; print(os.environ.get('LC_CTYPE'), __import__('console.terminal').terminal.prefers_ascii())"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, env=locale, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["C.UTF-8", "True"]


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_terminal_without_a_type_is_no_place_for_a_console(term: str) -> None:
    assert "TERM" in why_no_console({"TERM": term})


def test_a_browser_draws_what_its_pipes_can_not() -> None:
    assert why_no_console({"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"}) == ""
