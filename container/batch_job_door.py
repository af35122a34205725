"""A second way from the task's process to the runner, for a task that closed descriptors which it did not open.

A socket of Linux's abstract namespace, which needs no file and no descriptor in the task:
https://man7.org/linux/man-pages/man7/unix.7.html. Elsewhere there is none, and such a task's result is lost, as said.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Final

_CREDENTIALS: Final = struct.Struct("3i")
_QUEUE: Final = 8


class Door:
    """The runner's side: listens for the one process that it started."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self.name = ""
        """Empty where there is no such door."""
        if sys.platform == "linux":
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.name = "\0scaler-batch-" + os.urandom(16).hex()
            listener.bind(self.name)
            listener.listen(_QUEUE)
            listener.setblocking(False)
            self._listener = listener

    @property
    def listener(self) -> socket.socket | None:
        """What becomes readable when somebody is at the door."""
        return self._listener

    def answer(self, task: int | None) -> socket.socket | None:
        """The connection of the process `task`; None for anybody else: the namespace is the whole host's."""
        if self._listener is None:
            return None
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return None
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if task is None or _CREDENTIALS.unpack(peer)[0] != task:
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """Close it; idempotent."""
        if self._listener is not None:
            self._listener.close()


class Line:
    """The task's side: its socket, or a new one through the door when user code closed or replaced that."""

    def __init__(self, control: socket.socket, door: str) -> None:
        self._control = control
        self._door = door
        self._identity = _identity(control.fileno())

    def get(self) -> socket.socket:
        """The socket to speak on. Raises `OSError` when it is gone and there is no door."""
        if _identity(self._control.fileno()) != self._identity and self._door:
            self._control.detach()  # its number may be another file of the user's by now
            self._control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._control.connect(self._door)
            self._identity = _identity(self._control.fileno())
        return self._control


def _identity(number: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino
