"""Foreign text (of logs, jobs, AWS) made harmless: one printable line, bounded. The cleaner of console and commands.

What a terminal would have shown is what is left: escape sequences do nothing, and of a line that was written over with
carriage returns (a progress bar) the last state stays.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_TEXT: Final = 8192
"""Characters of foreign text that are kept; the rest is cut before anything else is done with it."""

_ESCAPES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC: title, link, clipboard
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\|$)"  # DCS, SOS, PM, APC
    r"|[\x1b][\[][0-?]*[ -/]*[@-~]?|\x9b[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"  # two-character sequences
)
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS: Final = frozenset({"Mn", "Me", "Mc"})
_MARKS_PER_LETTER: Final = 2
_VARIATION_SELECTORS: Final = range(0xFE00, 0xFE10)


def clean(text: str) -> str:
    """Make foreign text one harmless line: no escape sequences, control or direction characters, no stacks of marks.

    A carriage return leaves what a terminal would: the text after it.
    """
    text = text[:MAX_TEXT]
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPES.sub("", text)
    text = next((part for part in reversed(text.split("\r")) if part), "").expandtabs(8).replace("\n", " ")
    if text.isascii() and text.isprintable():
        return text
    return _without_traps(unicodedata.normalize("NFC", text))


def clean_line(text: str, cut: int = 0) -> str:
    """Clean a log line and say how much of it is missing. `cut`: characters that were cut off its end before."""
    missing = cut + max(0, len(text) - MAX_TEXT)
    return f"{clean(text)} … {missing:,} more characters" if missing else clean(text)


def clean_lines(text: str) -> str:
    """Make foreign text harmless, line by line."""
    return "\n".join(map(clean, text.splitlines()))


def _without_traps(text: str) -> str:
    kept: list[str] = []
    marks = _MARKS_PER_LETTER  # a mark at the very start has nothing to stand on
    for char in text:
        category = unicodedata.category(char)
        if category in _DROPPED or ord(char) in _VARIATION_SELECTORS:
            continue
        if category in _MARKS:
            marks += 1
            if marks > _MARKS_PER_LETTER:
                continue
        else:
            marks = 0
        kept.append(" " if category == "Zs" else char)
    return unicodedata.normalize("NFC", "".join(kept))  # what was dropped may have stood between a letter and its mark
