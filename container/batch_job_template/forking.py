"""A process that forks others on request, and waits for them: both sides of it.

Who asks hands over descriptors and gets the pid of a process that has them; it is told when that has ended, and how.
The runner's own memory is so never copied for a task: after a fork each page that either side writes to is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn

PATIENCE_S: Final = 5.0
"""For a process to fork: it does nothing else."""
_DESCRIPTORS: Final = 8
_REQUEST: Final = struct.Struct("<ci")
"""What is asked for, and the pid that it is about."""
_ANSWER: Final = struct.Struct("<ciidq")
"""What happened to which pid; of an end its wait status, CPU seconds and peak resident set as `wait4` gives it."""


class _Word(bytes, Enum):
    FORK = b"f"  # asks
    FORK_TASK = b"t"  # asks: and tell how that ended
    KILL = b"k"  # asks
    FORKED = b"p"  # answers
    ENDED = b"e"  # tells


Become = Callable[[Sequence[int]], NoReturn]


class ProcessEnd(NamedTuple):
    """How a process ended, as `os.wait4` says it."""

    status: int
    cpu_s: float
    max_rss: int


class ForkingProcess:
    """The asking side: a process that forks on request, and the socket to it. Its own parent is `parent`, or we."""

    def __init__(self, pid: int, control: socket.socket, parent: ForkingProcess | None = None) -> None:
        self.pid = pid
        self._control = control
        self._parent = parent
        control.settimeout(PATIENCE_S)

    @property
    def control(self) -> socket.socket:
        """What becomes readable when the process of the task that it forked has ended, or it has itself."""
        return self._control

    def fork(self, descriptors: Sequence[int]) -> int | None:
        """The pid of a new process that has copies of the descriptors; None: there will be none.

        After None whoever was forked may still turn up: it finds the other ends of its descriptors closed.
        """
        return self._ask(_Word.FORK, descriptors)

    def fork_task(self, descriptors: Sequence[int]) -> int | None:
        """As `fork`; it forks nobody else until it has told the end of this one."""
        return self._ask(_Word.FORK_TASK, descriptors)

    def take_end(self) -> ProcessEnd:
        """How the last task's process ended, once `control` is readable. Raises `OSError` if this one is gone."""
        _, _, *end = self._hear(_Word.ENDED)
        return ProcessEnd(*end)

    def leave(self) -> None:
        """Close the socket to it, in a process that has nothing to ask of it."""
        self._control.close()

    def end(self) -> None:
        """End it; idempotent."""
        self._control.close()
        if self._parent is not None:
            self._parent.kill(self.pid)
        elif _is_child(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)

    def kill(self, pid: int) -> None:
        """End a process that it forked, if that is still there."""
        with contextlib.suppress(OSError):
            self._control.sendall(_REQUEST.pack(_Word.KILL.value, pid))

    def _ask(self, word: _Word, descriptors: Sequence[int]) -> int | None:
        try:
            socket.send_fds(self._control, [_REQUEST.pack(word.value, 0)], descriptors)
            return self._hear(_Word.FORKED)[1]
        except OSError:  # its time ran out, or it is gone
            return None

    def _hear(self, expected: _Word) -> Any:
        data = self._control.recv(_ANSWER.size)
        if len(data) < _ANSWER.size:
            raise ConnectionError("the process that forks is gone")
        answer = _ANSWER.unpack(data)
        if answer[0] != expected.value:
            raise ConnectionError("the process that forks says something else than it was asked for")
        return answer


def start_forking(prepare: Callable[[], Become]) -> ForkingProcess:
    """Fork a process that forks on request; each of those goes on in what `prepare` gives it, with the descriptors."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return ForkingProcess(pid, ours)
    try:
        ours.close()
        serve_forks(theirs, prepare())
    finally:
        os._exit(1)


def serve_forks(control: socket.socket, become: Become) -> NoReturn:
    """Fork whenever the other side asks; end when that is gone. While a task's process lives nothing else is done."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, _REQUEST.size, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not request:
            os._exit(0)
        word, pid = _REQUEST.unpack(request)
        if word == _Word.KILL.value:
            if _is_child(pid):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            continue
        pid = _fork(control, become, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(_ANSWER.pack(_Word.FORKED.value, pid, 0, 0.0, 0))
        if word == _Word.FORK_TASK.value:
            _, status, usage = os.wait4(pid, 0)
            cpu_s = usage.ru_utime + usage.ru_stime
            control.sendall(_ANSWER.pack(_Word.ENDED.value, pid, status, cpu_s, usage.ru_maxrss))


def fork_in_vain() -> None:
    """Fork once for what libraries do before a fork: those that keep threads for later end them."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored its end is waited for, and not kept
        os.waitpid(pid, 0)


def _fork(control: socket.socket, become: Become, descriptors: Sequence[int]) -> int:
    """The pid of a process that leads a group of its own."""
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):  # it has ended
            os.setpgid(pid, pid)
        return pid
    try:
        control.close()
        become(descriptors)
    finally:
        os._exit(1)


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True
