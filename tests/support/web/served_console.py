"""An engine's telemetry on this machine, and the server of `attach --web` beside it, each a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from tests.support.socket_places import short_folder

PROGRAM = (sys.executable, "-P", "-c", "from console.cli.main import main; main()")
ENGINE = (sys.executable, "-m", "tests.support.console.synthetic_engine", "--jobs", "200", "--rate", "0")


@dataclass(frozen=True)
class WebConsole:
    """Served console: the server's process, and the address that it printed."""

    process: subprocess.Popen[str]
    address: str

    def consoles(self) -> list[psutil.Process]:
        """Processes of its visitors."""
        return list(psutil.Process(self.process.pid).children())


@contextmanager
def serve_console() -> Iterator[WebConsole]:
    """Serve the console of an engine without jobs that move."""
    with short_folder() as runtime:
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(runtime), "LANG": "C.UTF-8"}
        with subprocess.Popen(ENGINE, env=environ, stdout=subprocess.PIPE, text=True) as engine:
            assert engine.stdout is not None
            assert engine.stdout.readline() == "ready\n"
            command = (*PROGRAM, "attach", "--web")
            with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout is not None
                yield WebConsole(server, server.stdout.readline().strip())
                server.send_signal(signal.SIGTERM)
            assert server.returncode == 0
            engine.kill()
