"""Scaler's scheduler: whether it can be reached from here and speaks our transport. Nothing is sent to it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from typing import Final

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, Remedy
from engine.diagnosis.transport_greeting import GREETING_BYTES, GREETING_S, Transport, explain_mismatch
from engine.errors import ConfigError
from provisioner.doctor.finding import DoctorCheck, Finding

SCHEDULER: Final = DoctorCheck(CheckId.SCHEDULER, "the scheduler can be reached")
CONNECT_TIMEOUT_S: Final = 5.0
_ADDRESS: Final = re.compile(r"tcp://(?P<host>[^/:\[\]]+|\[[^\]]+\]):(?P<port>\d{1,5})")

Connect = Callable[[str, int], bytes]


def connect(host: str, port: int) -> bytes:
    """Open a TCP connection and close it; gives the greeting, empty when none comes. Raises `OSError`."""
    with socket.create_connection((host, port), CONNECT_TIMEOUT_S) as connection:
        connection.settimeout(GREETING_S)
        try:
            return connection.recv(GREETING_BYTES, socket.MSG_WAITALL)
        except TimeoutError:
            return b""


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of tcp://host:port. Raises `ConfigError`."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigError(f"--scheduler is {address!r}, but must be an address like tcp://10.0.0.1:8516.")
    return found["host"].strip("[]"), int(found["port"])


def check_scheduler(address: str | None, connect: Connect) -> Finding:
    """Connect to the scheduler; without an address nothing is checked."""
    if address is None:
        return SCHEDULER.found(CheckStatus.NOT_RUN, "no --scheduler was given")
    try:
        greeting = connect(*parse_address(address))
    except OSError as error:
        fix = Remedy("start it, or open the way to its port; object storage has a port of its own")
        return SCHEDULER.found(CheckStatus.FAIL, f"{address}: {error.strerror or error}", fix)
    if mismatch := explain_mismatch(address, greeting, Transport.of(os.environ)):
        return SCHEDULER.found(CheckStatus.FAIL, mismatch)
    return SCHEDULER.found(CheckStatus.PASS, f"{address} takes connections")
