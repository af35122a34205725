"""Private places for sockets: a socket's path has no room for pytest's folders."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_folder() -> Iterator[Path]:
    """Made 0700, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        yield Path(folder)
