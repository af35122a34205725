"""Runs jobs as processes through the fork server, and hands their output and their end back.

One thread looks after everything: the fork server's socket and the output pipes of all running jobs. Callbacks
come on that thread.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from provisioner.local.processes import process_tree
from provisioner.local.processes.framing import (
    Exited,
    Kill,
    MessageReader,
    ProgramSettings,
    Ready,
    Start,
    Started,
    encode,
)

READ_BYTES: Final = 256 * 1024
READY_S: Final = 60


@dataclass(frozen=True, slots=True)
class JobLaunch:
    """What one attempt of a job runs. One of `on_exit` and `on_not_started` (with the reason) comes, once."""

    key: str
    image: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    memory_bytes: int
    on_output: Callable[[bytes], None]
    on_exit: Callable[[Exited], None]
    on_not_started: Callable[[str], None]


class JobExecutor(Protocol):
    """Starts and ends jobs. Neither call blocks."""

    def start(self, launch: JobLaunch) -> None: ...

    def kill(self, key: str, signum: int, *, whole: bool) -> None: ...


@dataclass(slots=True)
class RunningProcess:
    launch: JobLaunch
    pipe: int
    pid: int | None = None


class ForkServerExecutor:
    """The real one. `close` ends the fork server and with it every job."""

    def __init__(self, settings: ProgramSettings, environ: Mapping[str, str], on_lost: Callable[[], None]) -> None:
        ours, theirs = socket.socketpair()
        self._process = spawn(theirs, settings, environ)
        self._socket = ours
        self._on_lost = on_lost
        self._outbox: deque[tuple[bytes, JobLaunch | None]] = deque()
        self._running: dict[str, RunningProcess] = {}
        self._reader = MessageReader()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._ready = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="executor", daemon=True)
        self._thread.start()

    def wait_ready(self) -> None:
        if not self._ready.wait(READY_S):
            raise TimeoutError(f"The fork server was not ready within {READY_S} s; see the log.")

    def start(self, launch: JobLaunch) -> None:
        start = Start(launch.key, launch.argv, launch.environ, launch.memory_bytes)
        self._outbox.append((encode(start), launch))
        self._wake()

    def kill(self, key: str, signum: int, *, whole: bool) -> None:
        self._outbox.append((encode(Kill(key, signum, whole)), None))
        self._wake()

    def close(self) -> None:
        self._closing = True
        self._wake()
        self._thread.join()
        self._socket.close()  # the fork server kills its jobs and ends
        self._process.wait()

    def _wake(self) -> None:
        # a full pipe has woken the loop already; to wait for room here is a deadlock with a loop that reports an exit
        with contextlib.suppress(BlockingIOError):
            self._wake_writer.send(b"\0")

    def _loop(self) -> None:
        self._socket.setblocking(False)
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        while not self._closing:
            for key, mask in self._selector.select():
                if key.fileobj is self._wake_reader:
                    self._wake_reader.recv(READ_BYTES)
                elif key.fileobj is self._socket:
                    if mask & selectors.EVENT_READ and not self._receive():
                        self._lost()
                        return
                else:
                    self._read_output(key.data)
            self._send()

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(READ_BYTES)
        except ConnectionError:
            return False
        for message in self._reader.feed(data):
            if isinstance(message, Started):
                self._running[message.key].pid = message.pid
            elif isinstance(message, Exited):
                self._ended(message)
            elif isinstance(message, Ready):
                self._ready.set()
        return bool(data)

    def _lost(self) -> None:
        """The fork server is gone, and its jobs shall not outlive it."""
        for running in self._running.values():
            if running.pid is not None:
                process_tree.signal_quietly(running.pid, signal.SIGKILL, group=True)
        self._on_lost()

    def _ended(self, exited: Exited) -> None:
        running = self._running.pop(exited.key)
        self._read_output(running)  # all there is: a pipe holds less than one read takes
        self._close_pipe(running)
        running.launch.on_exit(exited)

    def _read_output(self, running: RunningProcess) -> None:
        if running.pipe < 0:
            return
        try:
            data = os.read(running.pipe, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            running.launch.on_output(data)
        else:
            self._close_pipe(running)

    def _close_pipe(self, running: RunningProcess) -> None:
        if running.pipe >= 0:
            self._selector.unregister(running.pipe)
            os.close(running.pipe)
            running.pipe = -1

    def _send(self) -> None:
        while self._outbox:
            data, launch = self._outbox[0]
            try:
                sent = self._send_one(data, launch)
            except BlockingIOError:
                break
            if sent < len(data):
                self._outbox[0] = (data[sent:], None)
            else:
                self._outbox.popleft()
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
        self._selector.modify(self._socket, mask)

    def _send_one(self, data: bytes, launch: JobLaunch | None) -> int:
        if launch is None:
            return self._socket.send(data)
        reader, writer = os.pipe()
        try:
            sent = socket.send_fds(self._socket, [data], [writer])
        except BlockingIOError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        running = RunningProcess(launch, reader)
        self._running[launch.key] = running
        self._selector.register(reader, selectors.EVENT_READ, running)
        return sent


def spawn(control: socket.socket, settings: ProgramSettings, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    raise_descriptor_limit()
    command = [sys.executable, "-P", "-m", "provisioner.local.processes.fork_server"]
    with control:
        return subprocess.Popen(
            [*command, str(control.fileno()), msgspec.json.encode(settings).decode()],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            pass_fds=[control.fileno()],
        )


def raise_descriptor_limit() -> None:
    """A pipe for each running job and a socket for each client."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
