"""Scaler's own programs as processes: object storage and scheduler, the console scripts beside this Python."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import scaler_batch
from provisioner.local.aws import LocalAWSError, end
from provisioner.local.processes import parent_watch
from provisioner.local.processes.fork_server import process_tree

READY_S: Final = 30.0
LOOK_S: Final = 0.02
SAID_CHARACTERS: Final = 2000
TAKEN: Final = "address already in use"
"""In what both programs say of a port that is not theirs; they don't end by it."""
LISTENERS: Final = Path("/proc/net/tcp")
LISTEN: Final = "0A"
TRIES: Final = 5
LOOKS: Final = 100
FIRST_PORT: Final = 10_000
EPHEMERAL_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_EPHEMERAL_PORT: Final = 32_768


class PortTakenError(LocalAWSError):
    """Another process has a port that was free a moment ago."""


class GuardedProcess:
    """A program that listens on loopback ports, the first of which is its address, and that can't outlive us."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], ports: Sequence[int], log: Path) -> None:
        self._command = command
        self._environ = environ
        self._ports = ports
        self._log = log
        self._log_begins = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The address that it listens on, as Scaler takes it."""
        return loopback(self._ports[0])

    def launch(self) -> None:
        """Start it. Raises `OSError` when its log can't be written."""
        guarded = scaler_batch.command(parent_watch.__name__, *self._command)
        with self._log.open("ab") as log:
            self._log_begins = log.tell()
            self._process = subprocess.Popen(
                guarded,
                env=dict(self._environ),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is for us; we decide when it ends
            )

    def wait_ready(self) -> None:
        """Return when it listens, and nobody else on a port of its own.

        Raises `PortTakenError`, `LocalAWSError` with the end of its log.
        """
        deadline = time.monotonic() + READY_S
        while not self._listens():
            ended = self._process is None or self._process.poll() is not None
            self._raise_if(hopeless=ended or time.monotonic() > deadline)
            time.sleep(LOOK_S)

    def _raise_if(self, *, hopeless: bool) -> None:
        said = self._log.read_bytes()[self._log_begins :].decode(errors="replace")
        text = f"{self._command[0]} did not start to listen on {self.address}; it said: {said[-SAID_CHARACTERS:]}"
        if TAKEN in said.lower():
            raise PortTakenError(text)
        if hopeless:
            raise LocalAWSError(text)

    def _listens(self) -> bool:
        """Whether it, or what it started, listens on all of its ports: another's listener would answer, too."""
        if self._process is None or not all(map(listens, self._ports)):
            return False
        try:
            return set(self._ports) <= listening_ports(self._process.pid)
        except OSError:  # no Linux: whose they are can't be told
            return True

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


def listening_ports(pid: int) -> set[int]:
    """IPv4 TCP ports on which a process, or one below it, listens: https://docs.kernel.org/networking/proc_net_tcp.html.

    Sockets of what has just ended, or is another user's, are left out. Raises `OSError` where there is no /proc.
    """
    held = {link for one in process_tree.tree(pid) for link in _open_files(one)}
    lines = [line.split() for line in LISTENERS.read_text().splitlines()[1:]]
    return {
        int(words[1].rpartition(":")[2], 16) for words in lines if words[3] == LISTEN and f"socket:[{words[9]}]" in held
    }


def _open_files(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(entry.readlink())


def free_ports(count: int) -> list[int]:
    """Find loopback ports that are free right now; all held until all are found, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def ports_side_by_side(count: int) -> list[int]:
    """Find loopback ports in a row that are free right now, and that no outgoing connection gets by chance.

    Raises `LocalAWSError`.
    """
    first = min(first_ephemeral_port(), 65536 - count)
    for _ in range(LOOKS):
        base = random.randrange(FIRST_PORT, first - count)
        if all(map(is_free, ports := list(range(base, base + count)))):
            return ports
    raise LocalAWSError(f"No {count} free ports in a row were found below {first} on 127.0.0.1.")


def is_free(port: int) -> bool:
    """Listen on a loopback port for a moment, to see whether that can be done."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def first_ephemeral_port() -> int:
    """First port that the system gives out by itself, https://docs.kernel.org/networking/ip-sysctl.html."""
    try:
        return int(EPHEMERAL_PORTS.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_EPHEMERAL_PORT


def loopback(port: int) -> str:
    """Address of a loopback port, as Scaler takes it."""
    return f"tcp://127.0.0.1:{port}"


def script(name: str) -> str:
    """Return the path of a console script. Raises `LocalAWSError` when Scaler is not installed beside this Python."""
    path = Path(sys.executable).parent / name
    if not os.access(path, os.X_OK):
        raise LocalAWSError(f"{path} is missing; install opengris-scaler into this Python's environment.")
    return str(path)


class LocalScaler:
    """Object storage and scheduler on three ports side by side: the monitor's is two above the scheduler's.

    `options` are more of the scheduler's. When another process takes a port at the last moment, others are chosen,
    `TRIES` times in all; until `wait_ready` has returned addresses may change. Raises `LocalAWSError` without Scaler.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        options: Sequence[str] = (),
        choose: Callable[[int], list[int]] = ports_side_by_side,
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._options = options
        self._choose = choose
        self._tries = 0
        self._choose_ports()

    @property
    def object_storage_address(self) -> str:
        """Address of the object storage, `tcp://127.0.0.1:PORT`."""
        return self.storage.address

    @property
    def scheduler_address(self) -> str:
        """Address of the scheduler."""
        return self.scheduler.address

    def launch(self) -> None:
        """Start both; the scheduler wants its storage there. Raises `LocalAWSError`."""
        while True:
            try:
                self.storage.launch()
                self.storage.wait_ready()
            except PortTakenError as error:
                self._try_others(error)
            else:
                self.scheduler.launch()
                return

    def wait_ready(self) -> None:
        """Return when both listen. Raises `LocalAWSError`."""
        while True:
            try:
                self.scheduler.wait_ready()
            except PortTakenError as error:
                self._try_others(error)
                self.launch()
            else:
                return

    def stop(self) -> None:
        """End both; nothing happens when they don't run."""
        self.scheduler.stop()
        self.storage.stop()

    def _try_others(self, error: PortTakenError) -> None:
        """Raises the error after as many tries as there may be."""
        self.stop()
        if self._tries == TRIES:
            raise error
        self._choose_ports()

    def _choose_ports(self) -> None:
        self._tries += 1
        server, storage, monitor = self._choose(3)
        self.monitor_address = loopback(monitor)
        """Where the scheduler tells its monitors what tasks ask for."""
        log = self._folder / "object-storage.log"
        program = script("scaler_object_storage_server")
        self.storage = GuardedProcess((program, loopback(storage)), self._environ, (storage,), log)
        command = (script("scaler_scheduler"), loopback(server), "--object-storage-address", loopback(storage))
        options = ("--monitor-address", self.monitor_address, *self._options)
        log = self._folder / "scheduler.log"
        self.scheduler = GuardedProcess((*command, *options), self._environ, (server, monitor), log)
