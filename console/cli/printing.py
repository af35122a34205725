"""Output of commands: tables and facts, in colour on a terminal and as plain text anywhere else, or JSON.

Nothing that comes from a job reaches a terminal as more than text: control characters are shown, not obeyed.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import Final

STYLES: Final = {
    "SUBMITTED": "bright_black",
    "PENDING": "bright_black",
    "RUNNABLE": "yellow",
    "STARTING": "cyan",
    "RUNNING": "blue",
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "UNKNOWN": "magenta",
    "down": "bold red",
}
"""Rich styles of states; colour only repeats what the text says."""
STYLED: Final = ("state", "is")
"""Titles of the columns whose cells are states; a function may be called FAILED, too."""
LAST_COLUMN: Final = 20
"""Least width of the last column, whose sentences may be wrapped."""


def on_terminal() -> bool:
    """True when standard output is a terminal that understands colours."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def print_json(value: object) -> None:
    """Print `value` as one line of JSON."""
    import msgspec

    print(msgspec.json.encode(value).decode(), flush=True)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other."""
    print_table(("", ""), facts)


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """Print columns side by side, those named in `numbers` aligned to the right; no head without titles."""
    cleaned = [[harmless(cell) for cell in row] for row in rows]
    if on_terminal():
        _print_rich(titles, cleaned, numbers)
    else:
        _print_plain(titles, cleaned, numbers)


def harmless(text: str) -> str:
    """Text on one line, without anything that moves a cursor or changes a terminal."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    return (
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") else character
    )


def _print_plain(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> None:
    lines = [titles, *rows] if any(titles) else rows
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(len(titles))]
    for line in lines:
        cells = [
            cell.rjust(width) if title in numbers else cell.ljust(width)
            for title, cell, width in zip(titles, line, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _print_rich(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=any(titles), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    last = len(titles) - 1
    for column, title in enumerate(titles):
        width = max(len(title), *(len(row[column]) for row in rows), 0)
        table.add_column(
            Text(title),
            justify="right" if title in numbers else "left",
            style="bold" if not any(titles) and column == 0 else "",
            min_width=min(width, LAST_COLUMN) if column == last else width,
            no_wrap=column < last,
        )
    for row in rows:
        styles = [STYLES.get(cell, "") if title in STYLED else "" for title, cell in zip(titles, row, strict=True)]
        table.add_row(*map(Text, row, styles))
    Console().print(table)
