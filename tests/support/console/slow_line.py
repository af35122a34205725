"""`python -m tests.support.console.slow_line SECONDS COMMAND...`: the command in a terminal behind a line that slow.

Every byte takes so long each way, as over ssh, and none comes before an earlier one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import sys
import termios
import time
import tty
from collections import deque

CHUNK = 65536


class Way:
    """One direction."""

    def __init__(self, source: int, sink: int, seconds: float) -> None:
        self.source, self._sink, self._seconds = source, sink, seconds
        self._under_way: deque[tuple[float, bytes]] = deque()

    def take(self) -> bool:
        """Read what is there; False at its end."""
        data = b""
        with contextlib.suppress(OSError):  # EIO: the command has ended
            data = os.read(self.source, CHUNK)
        self._under_way.append((time.monotonic() + self._seconds, data))
        return bool(data)

    def deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            os.write(self._sink, self._under_way.popleft()[1])

    def due_in(self) -> float:
        return max(0.0, self._under_way[0][0] - time.monotonic()) if self._under_way else 1.0


def carry(command: int, seconds: float) -> None:
    """Until the command ends and its last words have arrived."""
    out, back = Way(command, 1, seconds), Way(0, command, seconds)
    living = True
    while living or out.due_in() < 1.0:
        sources = [out.source, back.source] if living else []
        ready = select.select(sources, [], [], min(out.due_in(), back.due_in()))[0]
        if back.source in ready:
            back.take()
        if out.source in ready:
            living = out.take()
        for way in (out, back) if living else (out,):
            way.deliver()


def main(seconds: str, *command: str) -> int:
    size = fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        carry(terminal, float(seconds))
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
