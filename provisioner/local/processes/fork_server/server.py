"""The process that runs jobs: imports the runner and builds its S3 clients once, then forks per job.

Single-threaded, so that forking is safe. It owns the jobs' processes: starts, signals and reaps them, and watches
their memory like the kernel's out-of-memory killer would. When its socket ends, every job ends.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
from collections import deque
from typing import Final

from . import job_process, process_tree
from .framing import (
    Exited,
    Kill,
    Message,
    MessageReader,
    ProgramSettings,
    Ready,
    Start,
    Started,
    encode,
)
from .memory_watch import JobMemory, MemoryWatch

READ_BYTES: Final = 256 * 1024
MAX_DESCRIPTORS: Final = 250


class ForkServer:
    """Serves one socket until it ends."""

    def __init__(self, control: socket.socket, program: job_process.JobProgram) -> None:
        self._control = control
        self._program = program
        self._jobs: dict[int, str] = {}
        self._pids: dict[str, int] = {}
        self._descriptors: deque[int] = deque()
        self._reader = MessageReader()
        self._outgoing = bytearray()
        self._memory = MemoryWatch(time.monotonic)
        self._selector = selectors.DefaultSelector()
        self._wakeup = catch_children()

    def serve(self) -> None:
        """Say that we are ready, then start and end jobs as asked until the socket ends; then end every job."""
        self._control.setblocking(False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._send(Ready(os.getpid()))
        try:
            while self._turn():
                pass
        finally:
            self._end_all()

    def _turn(self) -> bool:
        events = self._selector.select(self._memory.wait() if self._jobs else None)
        for key, mask in events:
            if key.fileobj is self._wakeup:
                self._wakeup.recv(READ_BYTES)
            elif mask & selectors.EVENT_READ and not self._receive():
                return False
        self._reap()
        self._memory.enforce_limits()
        self._flush()
        return True

    def _receive(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, READ_BYTES, MAX_DESCRIPTORS)
        self._descriptors.extend(descriptors)
        for message in self._reader.feed(data):
            self._handle(message)
        return bool(data)

    def _handle(self, message: Message) -> None:
        if isinstance(message, Start):
            self._start(message)
        elif isinstance(message, Kill):
            self._kill(message)

    def _start(self, start: Start) -> None:
        output = self._descriptors.popleft()
        memory = JobMemory(start.memory_bytes)
        pid = os.fork()
        if pid == 0:
            job_process.run(self._program, start, output, str(memory.folder))
        os.close(output)
        self._jobs[pid] = start.key
        self._pids[start.key] = pid
        self._memory.add(pid, memory)
        self._send(Started(start.key, pid))

    def _kill(self, kill: Kill) -> None:
        pid = self._pids.get(kill.key)
        if pid is not None and kill.whole:
            process_tree.kill_session(pid)
        elif pid is not None:
            process_tree.signal_quietly(pid, kill.signal)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._jobs:
                self._ended(pid, self._jobs.pop(pid), status)

    def _ended(self, pid: int, key: str, status: int) -> None:
        """End all other processes of the job with its first, as in a container."""
        process_tree.kill_session(pid)
        del self._pids[key]
        killed = self._memory.remove(pid)
        if not self._jobs:
            self._kill_orphans()
        self._send(Exited(key, container_exit_code(status), killed))

    def _kill_orphans(self) -> None:
        for pid in process_tree.children(os.getpid()):
            process_tree.signal_quietly(pid, signal.SIGKILL)

    def _send(self, message: Message) -> None:
        self._outgoing += encode(message)
        self._flush()

    def _flush(self) -> None:
        """Send without blocking: the other side may be sending to us, and one of us has to read."""
        with contextlib.suppress(BlockingIOError):
            del self._outgoing[: self._control.send(self._outgoing)]
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        self._selector.modify(self._control, mask)

    def _end_all(self) -> None:
        for pid in self._jobs:
            process_tree.kill_session(pid)
        self._kill_orphans()
        self._memory.remove_all()


def container_exit_code(status: int) -> int:
    """Convert a status of `os.waitpid` as container engines do: 128 + N for signal N."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def catch_children() -> socket.socket:
    """Return a socket that becomes readable when a child ends."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


def main(descriptor: str, settings_json: str) -> None:
    """Serve the socket with that file descriptor until it ends."""
    # The socket's end is what ends us; and a job's SIGTERM has to wait until the job can take it.
    signal.pthread_sigmask(signal.SIG_BLOCK, job_process.HELD_SIGNALS)
    process_tree.adopt_orphans()
    control = socket.socket(fileno=int(descriptor))
    program = job_process.load(ProgramSettings.from_json(settings_json))
    gc.collect()
    gc.freeze()  # or the collector would touch, and so copy, every page in every job
    try:
        ForkServer(control, program).serve()
    except (ConnectionError, KeyboardInterrupt):
        return
