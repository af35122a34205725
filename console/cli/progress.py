"""Progress on standard error, so that standard output holds only what was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def say(line: str) -> None:
    """Print a line with the program's name."""
    print(f"scaler-batch: {line}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show a spinner on a terminal, a line elsewhere, while the block runs."""
    if not sys.stderr.isatty():
        say(what)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
    say(what)
