"""Terminal capabilities: whether the console can be drawn on it, and with which signs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

AMBIGUOUS_LANGUAGES: Final = ("zh", "ja", "ko")
"""Languages in which many terminals draw signs like ◔ two cells wide."""
_LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")


def why_no_console(environ: Mapping[str, str] = os.environ) -> str:
    """Reason why the console can't be drawn here, in words; empty when it can.

    It draws on standard error, as Textual does, so that is checked too.
    """
    if environ.get("TERM", "") in ("", "dumb"):
        return f"the terminal's type is {environ.get('TERM') or 'not told'} (TERM)"
    streams = {"standard input": sys.stdin, "standard output": sys.stdout, "standard error": sys.stderr}
    for name, stream in streams.items():
        if stream is None or not stream.isatty():
            return f"{name} is no terminal"
    return ""


def prefers_ascii(environ: Mapping[str, str] = os.environ) -> bool:
    """True when the locale says that other signs can't be trusted; without a locale they can."""
    locale = next((environ[name] for name in _LOCALE if environ.get(name)), "")
    if locale.split("@")[0] in ("C", "POSIX"):
        return True
    charset = locale.partition(".")[2].partition("@")[0].lower().replace("-", "")
    return locale.startswith(AMBIGUOUS_LANGUAGES) or charset not in ("", "utf8")
