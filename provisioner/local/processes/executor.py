"""Executor of jobs as processes: runs them through the fork server, and hands their output and their end back.

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
from pathlib import Path
from typing import Final, Protocol

from provisioner.local.processes.fork_server import process_tree
from provisioner.local.processes.fork_server.framing import (
    Exited,
    Kill,
    MessageReader,
    ProgramSettings,
    Ready,
    Start,
    Started,
    encode,
)

SCRIPT: Final = Path(__file__).with_name("fork_server") / "script.py"
READ_BYTES: Final = 256 * 1024
READY_S: Final = 60


@dataclass(frozen=True, slots=True)
class JobLaunch:
    """One attempt of a job: its program\'s words, variables and limit.

    One of `on_exit` and `on_not_started` (with the reason) comes, once.
    """

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

    def start(self, launch: JobLaunch) -> None:
        """Start one attempt."""

    def kill(self, key: str, signum: int, *, whole: bool) -> None:
        """Signal the first process of a job, or the `whole` of it; nothing happens when it is gone."""

    def caller(self, port: int) -> str | None:
        """Key of the job that has a connection from this port; None: none has, or it can't be told."""


@dataclass(slots=True)
class RunningProcess:
    """A job that was sent to the fork server: our end of its output pipe (-1 once closed), its process id."""

    launch: JobLaunch
    pipe: int
    pid: int | None = None


class ForkServerExecutor:
    """Executor of jobs as forked processes. `close` ends the fork server and with it every job."""

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
        """Return when the program is imported. Raises `TimeoutError` after `READY_S` seconds."""
        if not self._ready.wait(READY_S):
            raise TimeoutError(f"The fork server was not ready within {READY_S} s; see the log.")

    def start(self, launch: JobLaunch) -> None:
        """Start one attempt; see `JobExecutor`."""
        start = Start(launch.key, launch.argv, launch.environ, launch.memory_bytes)
        self._outbox.append((encode(start), launch))
        self._wake()

    def kill(self, key: str, signum: int, *, whole: bool) -> None:
        """Signal a job; see `JobExecutor`."""
        self._outbox.append((encode(Kill(key, signum, whole)), None))
        self._wake()

    def caller(self, port: int) -> str | None:
        """Key of the job with a connection from this port; see `JobExecutor`."""
        link = process_tree.connection_from(port)
        running = [(key, one.pid) for key, one in list(self._running.items()) if one.pid is not None]
        return next((key for key, pid in running if link and process_tree.holds(pid, link)), None)

    def close(self) -> None:
        """End the fork server and every job, and wait for that."""
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
    """Start the fork server on the other end of a socket. By its path: no name of ours may be needed to find it."""
    raise_descriptor_limit()
    with control:
        return subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT), str(control.fileno()), settings.to_json()],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            pass_fds=[control.fileno()],
        )


def raise_descriptor_limit() -> None:
    """Make room for a pipe for each running job and a socket for each client."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
