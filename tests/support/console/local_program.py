"""`scaler-batch local --headless` as a process whose every descendant can be found."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "SCALER_BATCH_TEST_RUN"
LIMIT_S = 90
COMMAND = [sys.executable, "-P", "-c", "from console.cli.main import main; main()", "local", "--headless"]


class LocalProgram:
    """Starts `local` with its own temporary folder and a mark by which whatever it starts can be found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> subprocess.Popen[str]:
        environ = {**os.environ, "TMPDIR": str(self.folder), "HOME": str(self.folder), MARK: self.mark}
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            env=environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self.process

    def run(self, *words: str, limit_s: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=limit_s)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def living(self) -> list[int]:
        """Every process that inherited the mark."""
        found = (self._pid_if_marked(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in found if pid is not None]

    def _pid_if_marked(self, entry: Path) -> int | None:
        try:
            environ = (entry / "environ").read_bytes()
        except OSError:
            return None
        return int(entry.name) if f"{MARK}={self.mark}".encode() in environ.split(b"\0") else None

    def await_end_of_all(self, pids: list[int]) -> None:
        """The descriptor of a process becomes readable at its end; the limit bounds the test."""
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                assert select.select([descriptor], [], [], 10)[0], f"process {pid} is left"
            finally:
                os.close(descriptor)


@contextmanager
def local_program(folder: Path) -> Iterator[LocalProgram]:
    """Ends what a failed test leaves."""
    program = LocalProgram(folder)
    yield program
    for pid in program.living():
        os.kill(pid, signal.SIGKILL)
    if program.process is not None:
        program.process.communicate()
