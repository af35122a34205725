"""Places for sockets: private folders (a socket's path has no room for pytest's), and free ports."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from engine.telemetry.endpoints import Endpoint


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder, 0700, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        yield Path(folder)


def free_endpoint() -> Endpoint:
    """Find three free ports in a row, below those that the kernel hands out."""
    for port in range(20_000 + os.getpid() % 3_000 * 3, 32_000, 3):
        with suppress(OSError), ExitStack() as held:
            for step in range(3):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port + step))
            return Endpoint.tcp(f"tcp://127.0.0.1:{port}")
    raise OSError("no three free ports in a row")
