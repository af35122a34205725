"""Processes of the selftest: Scaler's scheduler and object storage, worker managers, and a client that does as told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import scaler_batch
from provisioner.local.processes.scaler_processes import LocalScaler
from provisioner.selftest import watched_engine
from provisioner.selftest.model import CheckFailed

CLIENT: Final = Path(__file__).with_name("client.py")
GRACE_S: Final = 30.0
SAID_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class ScalerAddresses:
    """Addresses of a scheduler and of its object storage."""

    scheduler: str
    object_storage: str


@contextmanager
def running_scaler(environ: Mapping[str, str], folder: Path) -> Iterator[ScalerAddresses]:
    """Scheduler and object storage on loopback, which end with this process. Raises `EngineError` without Scaler."""
    scaler = LocalScaler(environ, folder)
    try:
        scaler.launch()
        scaler.wait_ready()
        yield ScalerAddresses(scaler.scheduler_address, scaler.object_storage_address)
    finally:
        scaler.stop()


class ManagerProcess:
    """One worker manager as a process, its log in a file. `settings` are the engine's."""

    def __init__(self, settings: Mapping[str, object], options: Sequence[str], environ: Mapping[str, str], log: Path):
        command = scaler_batch.command(watched_engine.__name__, *options, "--settings", json.dumps(settings))
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a terminal's Ctrl-C is for us; we decide when it ends
            )

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-SAID_CHARACTERS:].strip()

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Let it end in good order, within `GRACE_S`; then by force."""
        if not self.lives:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()


class ScalerClient:
    """The client script as a process: tasks by name, so that a check can do something while they run."""

    def __init__(self, address: str, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(CLIENT)],
            env={**environ, "SCALER_ADDRESS": address},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._names = 0

    @property
    def lives(self) -> bool:
        """Whether it answers."""
        return self._process.poll() is None

    def submit(self, function: str, arguments: Sequence[Sequence[object]], filler: int = 0) -> str:
        """Submit a task for each list of arguments, with `filler` random bytes more; returns the name of them all."""
        self._names += 1
        name = f"tasks-{self._names}"
        given = {"do": "submit", "name": name, "function": function, "arguments": arguments, "filler": filler}
        self._ask(given, 30.0)
        return name

    def collect(self, name: str, seconds: float) -> list[dict[str, Any]]:
        """Outcomes of the tasks of a name: `value`, or `error` (a class), `text` and `notes`."""
        results: list[dict[str, Any]] = self._ask({"do": "collect", "name": name, "timeout": seconds}, seconds)[
            "results"
        ]
        return results

    def cancel(self, name: str, index: int, seconds: float) -> bool:
        """Cancel one task; True when that was confirmed."""
        return bool(self._ask({"do": "cancel", "name": name, "index": index, "timeout": seconds}, seconds)["cancelled"])

    def close(self) -> None:
        """Say good-bye, so that the scheduler drops its tasks."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, request: Mapping[str, object], seconds: float) -> dict[str, Any]:
        """Raises `CheckFailed` when it ended, or says nothing for some seconds longer than it may take."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Timer(seconds + GRACE_S, self._process.kill)
        late.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        finally:
            late.cancel()
        if not line:
            raise CheckFailed(f"The Scaler client gave no answer within {seconds + GRACE_S:.0f} s, and was ended.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def run_program(words: Sequence[str], environ: Mapping[str, str], seconds: float) -> str:
    """Run `scaler-batch` with these words; returns what it prints. Raises `CheckFailed` when it fails."""
    command = (*scaler_batch.command(), *words)
    try:
        ended = subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"scaler-batch {words[0]} did not end within {seconds:.0f} s.") from None
    if ended.returncode != 0:
        said = ended.stderr[-SAID_CHARACTERS:].strip()
        raise CheckFailed(f"scaler-batch {words[0]} ended with {ended.returncode}: {said}")
    return ended.stdout


def clean_environ(more: Mapping[str, str]) -> dict[str, str]:
    """This process's variables with others put over them."""
    return {**os.environ, **more}
