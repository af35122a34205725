"""A terminal for tests: runs a program in a pty, feeds it keys and shows what a person would see.

The emulator is pyte; what it shows is plain text. Figures (latency, bytes, CPU, memory) are read from outside.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

CHUNK = 65536
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes the pty the controlling terminal of its session, and becomes the program."""


class Terminal:
    """One program in a pty of `columns` x `rows`. A context manager: at its end the program is gone."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._fd, inner = pty.openpty()
        self._is_gone = False
        _set_size(inner, columns, rows)
        self.output = bytearray()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            (sys.executable, "-I", "-S", "-c", TAKE_TERMINAL, *command),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={
                "LANG": "C.UTF-8",
                **_without_size(os.environ),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                **(environ or {}),
            },
            cwd=cwd,
            start_new_session=True,
        )
        os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if not self._is_gone:
            os.close(self._fd)

    def hang_up(self, seconds: float = 20.0) -> int:
        """Take the terminal away, as a closed window does; the exit code."""
        os.close(self._fd)
        self._is_gone = True
        return self.process.wait(seconds)

    @property
    def text(self) -> str:
        """The screen, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self, seconds: float) -> bytes:
        """Read for `seconds`: returns at the first bytes, empty when none came or the program ended."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._fd, CHUNK)
        except OSError:  # EIO: the other side is closed
            return b""
        self.output += data
        self._stream.feed(data)
        return data

    def run_for(self, seconds: float) -> int:
        """Keep reading; the number of bytes that came."""
        before, end = len(self.output), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.read(left) and self.process.poll() is not None:
                break
        return len(self.output) - before

    def wait_for(self, wanted: str | Callable[[str], bool], seconds: float = 20.0) -> str:
        """Until the screen holds `wanted`; the screen. Raises `AssertionError` with the screen in it."""
        holds = wanted if callable(wanted) else lambda text: wanted in text
        end = time.monotonic() + seconds
        while not holds(self.text):
            left = end - time.monotonic()
            ended = not self.read(min(0.2, max(left, 0))) and self.process.poll() is not None
            if (left <= 0 or ended) and not holds(self.text):
                raise AssertionError(f"{wanted!r} is not on the screen after {seconds} s:\n{self.text}")
        return self.text

    def send(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def latency(self, keys: str, timeout: float = 2.0) -> float:
        """Seconds from a key to the first byte after it."""
        while self.read(0):
            pass
        begin = time.perf_counter()
        self.send(keys)
        if not self.read(timeout):
            raise AssertionError(f"no answer to {keys!r} within {timeout} s")
        return time.perf_counter() - begin

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        _set_size(self._fd, columns, rows)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def wait_end(self, seconds: float = 10.0) -> int:
        """The exit code. Raises `AssertionError` when the program goes on."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"still running after {seconds} s:\n{self.text}")
            self.read(0.02)
        while self.read(0.02):
            pass
        return self.process.returncode

    def cpu_seconds(self) -> float:
        """CPU time that the program (without children) has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def _without_size(environ: Mapping[str, str]) -> dict[str, str]:
    """The pty's own size counts, not that of the terminal that tests run in."""
    return {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES")}


def _set_size(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
