"""A process that forks others on request, which become the runner's own children: both sides of it.

Who asks hands over descriptors, and gets the pid of a process that has them. It is forked twice, so that its parent is
gone before anybody uses it: it then belongs to the runner, which waits for it as for one that it forked itself.
https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

PATIENCE_S: Final = 5.0
"""For a process to fork: it does nothing else."""
_DESCRIPTORS: Final = 8
_PID: Final = struct.Struct("<i")
_NONE: Final = 0
_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER

Become = Callable[[Sequence[int]], NoReturn]


class ForkingProcess:
    """The runner's side: a child that forks on request, and the socket to it."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control
        control.settimeout(PATIENCE_S)

    def fork(self, descriptors: Sequence[int]) -> int | None:
        """The pid of a new child of this process that has copies of the descriptors; None: there will be none.

        After None whoever forked may still turn up: it finds the other ends of its descriptors closed.
        """
        pid = self._ask(descriptors)
        return pid if pid is not None and _is_child(pid) else None

    def leave(self) -> None:
        """Close the socket to it, in a process that has nothing to ask of it."""
        self._control.close()

    def end(self) -> None:
        """End it; idempotent."""
        self._control.close()
        if _is_child(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)

    def _ask(self, descriptors: Sequence[int]) -> int | None:
        try:
            socket.send_fds(self._control, [b"f"], descriptors)
            data = self._control.recv(_PID.size)
        except OSError:  # its time ran out, or it is gone
            return None
        return _PID.unpack(data)[0] or None if len(data) == _PID.size else None


def start_forking(become: Become) -> ForkingProcess:
    """Fork a process that forks on request; each of those goes on in `become`, with the descriptors."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return ForkingProcess(pid, ours)
    try:
        ours.close()
        serve_forks(theirs, become)
    finally:
        os._exit(1)


def serve_forks(control: socket.socket, become: Become) -> NoReturn:
    """Fork whenever the other side asks; end when that is gone."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 1, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not request:
            os._exit(0)
        control.sendall(_PID.pack(_fork_apart(control, become, descriptors)))
        for descriptor in descriptors:
            os.close(descriptor)


def adopt_orphans() -> None:
    """Become the parent of processes that lose theirs; the first process of a container is that anyway."""
    with contextlib.suppress(Exception):  # who asks for a fork looks whether it came to us
        import ctypes  # late: it takes longer to import than a small task runs

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def fork_in_vain() -> None:
    """Fork once for what libraries do before a fork: those that keep threads for later end them."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    _wait_for(pid)


def _fork_apart(control: socket.socket, become: Become, descriptors: Sequence[int]) -> int:
    """The pid of a process whose parent has ended."""
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            _fork_again(control, become, descriptors, (reader, writer))
        finally:
            os._exit(1)
    os.close(writer)
    _wait_for(between)
    data = os.read(reader, _PID.size)
    os.close(reader)
    return int(_PID.unpack(data)[0]) if len(data) == _PID.size else _NONE


def _fork_again(control: socket.socket, become: Become, descriptors: Sequence[int], pipe: tuple[int, int]) -> NoReturn:
    pid = os.fork()
    if pid:
        os.write(pipe[1], _PID.pack(pid))
        os._exit(0)
    control.close()
    for end in pipe:
        os.close(end)
    become(descriptors)


def _wait_for(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored its end is waited for, and not kept
        os.waitpid(pid, 0)


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True
