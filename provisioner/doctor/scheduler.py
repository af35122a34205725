"""Whether Scaler's scheduler can be reached from here: a connection, and nothing said."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Final

from engine.diagnosis.model import CheckStatus, Remedy
from engine.errors import ConfigError
from provisioner.doctor.finding import Finding, finding

NAME: Final = "the scheduler can be reached"
PATIENCE_S: Final = 5.0
_ADDRESS: Final = re.compile(r"tcp://(?P<host>[^/:\[\]]+|\[[^\]]+\]):(?P<port>\d{1,5})")

Connect = Callable[[str, int], None]


def connect(host: str, port: int) -> None:
    """Raises `OSError`."""
    socket.create_connection((host, port), PATIENCE_S).close()


def parse(address: str) -> tuple[str, int]:
    """Raises `ConfigError`."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigError(f"--scheduler is {address!r}, but must be an address like tcp://10.0.0.1:8516.")
    return found["host"].strip("[]"), int(found["port"])


def look(address: str | None, connect: Connect) -> Finding:
    if address is None:
        return finding(NAME, CheckStatus.NOT_RUN, "no --scheduler was given")
    try:
        connect(*parse(address))
    except OSError as error:
        fix = Remedy("start it, or open the way to its port; object storage has a port of its own")
        return finding(NAME, CheckStatus.FAIL, f"{address}: {error.strerror or error}", fix)
    return finding(NAME, CheckStatus.PASS, f"{address} takes connections")
