"""Engine as a child of this console: its process, its log file, and what its end means in words.

The engine of `run` has a session of its own, so that neither the console's end nor the terminal's reaches it. What
`local` starts is tied to the console: a cluster of a laptop has no use without it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final

from console.processes.tied_program import tied
from engine.errors import EngineError
from engine.telemetry.endpoints import Endpoint, RunningEngine, list_engines

START_S: Final = 120.0
BUILD_S: Final = 1800.0
"""For a start whose image has to be pulled, built and pushed first."""

_POLL_S: Final = 0.05
_TAIL_BYTES: Final = 4096
_TAIL_LINES: Final = 12


class EngineChild:
    """A started engine and its log. `output`: the file of its standard output when that is another one."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, output: Path | None = None) -> None:
        self.process = process
        self.log = log
        self._output = output

    def said(self) -> str:
        """Read what it wrote to its standard output so far; empty where that goes to the log."""
        return "" if self._output is None else self._output.read_text(errors="replace")

    def wait_for(
        self,
        is_ours: Callable[[RunningEngine], bool],
        seconds: float = START_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> Endpoint:
        """Wait until the engine says where it can be reached.

        Raises `EngineError` when it ends before, or after `seconds`.
        """
        deadline = clock() + seconds
        while clock() < deadline:
            found = [engine for engine in list_engines() if is_ours(engine)]
            if found:
                return found[0].endpoint
            self._must_live()
            time.sleep(_POLL_S)
        raise EngineError(f"the engine says nothing after {seconds:.0f} s: its log {self.log} may tell why")

    def end_in_words(self) -> str:
        """Tell how it ended, in a sentence; empty while it runs."""
        code = self.process.poll()
        if code is None:
            return ""
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the engine {how}; its log: {self.log}"

    def tail(self) -> str:
        """Read the last lines of its log, to be shown when it could not start."""
        with open(self.log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def _must_live(self) -> None:
        code = self.process.poll()
        if code is None:
            return
        said = self.tail()
        error = EngineError(f"the engine ended before it was up (exit code {code}); its log {self.log} ends:\n{said}")
        error.exit_code = code if code > 0 else 1
        raise error


def start_detached(command: Sequence[str], log: Path) -> EngineChild:
    """Start `command` so that it outlives this process and its terminal; what it writes goes to `log`."""
    with _new_file(log) as file:
        return EngineChild(_start(command, file, file), log)


def start_tied(command: Sequence[str], log: Path) -> EngineChild:
    """Start `command` so that it ends with this process, however that ends."""
    output = log.with_suffix(".out")
    with _new_file(log) as errors, _new_file(output) as file:
        return EngineChild(_start(tied(command), file, errors), log, output)


def _start(command: Sequence[str], output: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True)


def _new_file(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def log_file(name: str) -> Path:
    """Name a new file for one start in the user's state folder; those of earlier starts stay. Raises `EngineError`."""
    import platformdirs

    folder = platformdirs.user_state_path("scaler-batch")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = f"{folder} can't be made ({error.strerror}): set XDG_STATE_HOME to a folder of yours"
        raise EngineError(why) from error
    return folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
