"""Terminal capabilities: whether the console can be drawn on it, and with which signs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

AMBIGUOUS_LANGUAGES: Final = ("zh", "ja", "ko")
"""Languages in which many terminals draw signs like ◔ two cells wide."""
_DRIVER: Final = "TEXTUAL_DRIVER"
"""What Textual draws with instead of a terminal; textual-serve sets it for a browser."""
_LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")
_PLAIN: Final = ("", "C", "POSIX")
_COERCED: Final = ("C.UTF-8", "C.utf8")


def why_no_console(environ: Mapping[str, str] = os.environ) -> str:
    """Reason why the console can't be drawn here, in words; empty when it can.

    It draws on standard error, as Textual does, so that is checked too.
    """
    if is_served(environ):
        return ""
    if environ.get("TERM", "") in ("", "dumb"):
        return f"the terminal's type is {environ.get('TERM') or 'not told'} (TERM)"
    streams = {"standard input": sys.stdin, "standard output": sys.stdout, "standard error": sys.stderr}
    for name, stream in streams.items():
        if stream is None or not stream.isatty():
            return f"{name} is no terminal"
    return ""


def is_served(environ: Mapping[str, str] = os.environ) -> bool:
    """True when the console is drawn in a browser: the pipes around it are no terminal and need not be."""
    return bool(environ.get(_DRIVER))


def prefers_ascii(environ: Mapping[str, str] = os.environ) -> bool:
    """True when the locale says that other signs can't be trusted, or says nothing."""
    locale = next((environ[name] for name in _LOCALE if environ.get(name) and not _is_coerced(name, environ)), "")
    if locale.split("@")[0] in _PLAIN:
        return True
    charset = locale.partition(".")[2].partition("@")[0].lower().replace("-", "")
    return locale.startswith(AMBIGUOUS_LANGUAGES) or charset not in ("", "utf8")


def _is_coerced(name: str, environ: Mapping[str, str]) -> bool:
    """Python sets LC_CTYPE in a C locale, for itself (PEP 538): that says nothing of the terminal."""
    is_pythons = name == "LC_CTYPE" and environ[name] in _COERCED
    return is_pythons and environ.get("LANG", "") in _PLAIN
