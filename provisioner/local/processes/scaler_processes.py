"""Scaler's own programs as processes: object storage and scheduler, the console scripts beside this Python."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import scaler_batch
from provisioner.local.aws import LocalAWSError, end
from provisioner.local.processes import parent_watch

READY_S: Final = 30.0
LOOK_S: Final = 0.02
SAID_CHARACTERS: Final = 2000


class GuardedProcess:
    """A program that listens on a loopback port, and that can't outlive us."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], port: int, log: Path) -> None:
        self._command = command
        self._environ = environ
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The address that it listens on, as Scaler takes it."""
        return f"tcp://127.0.0.1:{self._port}"

    def launch(self) -> None:
        """Start it. Raises `OSError` when its log can't be written."""
        guarded = scaler_batch.command(parent_watch.__name__, *self._command)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                guarded,
                env=dict(self._environ),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is for us; we decide when it ends
            )

    def wait_ready(self) -> None:
        """Return when it listens. Raises `LocalAWSError` with the end of its log."""
        deadline = time.monotonic() + READY_S
        while not listens(self._port):
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-SAID_CHARACTERS:]
                raise LocalAWSError(f"{self._command[0]} did not start to listen on {self.address}; it said: {said}")
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """End it; nothing happens when it doesn't run."""
        process, self._process = self._process, None
        if process is not None:
            end(process)


def listens(port: int) -> bool:
    """Connect to a loopback port, to see whether that can be done."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Find loopback ports that are free right now; all held until all are found, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def script(name: str) -> str:
    """Return the path of a console script. Raises `LocalAWSError` when Scaler is not installed beside this Python."""
    path = Path(sys.executable).parent / name
    if not os.access(path, os.X_OK):
        raise LocalAWSError(f"{path} is missing; install opengris-scaler into this Python's environment.")
    return str(path)


def object_storage(environ: Mapping[str, str], port: int, log: Path) -> GuardedProcess:
    """Make the object storage server, not launched yet. Raises `LocalAWSError` without Scaler."""
    command = (script("scaler_object_storage_server"), f"tcp://127.0.0.1:{port}")
    return GuardedProcess(command, environ, port, log)


def scheduler(
    environ: Mapping[str, str], port: int, monitor_port: int, storage_address: str, log: Path, *more: str
) -> GuardedProcess:
    """Make the scheduler, not launched yet; `more` are options of its own. Raises `LocalAWSError` without Scaler."""
    options = ("--object-storage-address", storage_address, "--monitor-address", f"tcp://127.0.0.1:{monitor_port}")
    command = (script("scaler_scheduler"), f"tcp://127.0.0.1:{port}", *options, *more)
    return GuardedProcess(command, environ, port, log)
