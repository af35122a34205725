"""Console on an engine of its own: starts it, shows it, and leaves it the way that was asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import scaler_batch
from console.cli.printing import harmless
from console.cli.progress import say, step
from console.processes.engine_child import START_S, EngineChild, log_file, start_detached, start_tied
from console.processes.engine_program import engine_command
from engine.errors import ConfigError
from engine.telemetry.client.client import TelemetryClient

if TYPE_CHECKING:
    from console.tui.state import Quit
    from engine.config.settings import EngineConfig
    from engine.telemetry.endpoints import Endpoint

LOOK_S: Final = 0.5
"""Between two looks at an engine's log."""
LOCAL: Final = (*scaler_batch.command(), "local", "--headless", "--stay")


def run_watched(settings: EngineConfig, *, only_ascii: bool = False) -> int:
    """Show the engine of `run`, which needs no console to go on. Returns the exit code. Raises `EngineError`."""
    if settings.telemetry != "auto":
        raise ConfigError(
            f"--telemetry is {settings.telemetry}, but a console starts its engine with auto: "
            "leave it out, or add --headless and attach with keys."
        )
    child = start_detached(engine_command(settings), log_file(settings.managers[0].worker_manager_id))
    pid = child.process.pid
    with step("starting the engine"), ended_on_failure(child):
        endpoint = child.wait_for(lambda engine: engine.info.pid == pid)
    choice, code = _show(child, endpoint, tied=False, only_ascii=only_ascii)
    return _part(child, endpoint, choice, code)


def run_local_watched(
    words: Sequence[str], manager: str | None, *, start_seconds: float = START_S, only_ascii: bool = False
) -> int:
    """Show `local` with the same words, as a process that ends with this one. Returns the exit code."""
    name = manager or f"local-{os.getpid()}"
    log = log_file(name)
    child = start_tied((*LOCAL, *words, *(() if manager else ("--worker-manager-id", name))), log)
    with step("starting Scaler, a local AWS and the worker manager"), ended_on_failure(child):
        endpoint = child.wait_for(lambda engine: name in engine.info.managers, start_seconds)
    choice, code = _show(child, endpoint, tied=True, only_ascii=only_ascii)
    return _end_local(child, choice, code)


@contextmanager
def ended_on_failure(child: EngineChild) -> Iterator[None]:
    """End the engine on Ctrl-C or an error while it starts: it is not left behind."""
    try:
        yield
    except BaseException:
        if child.process.poll() is None:
            child.process.terminate()
            child.process.wait()
        raise


def _show(child: EngineChild, endpoint: Endpoint, *, tied: bool, only_ascii: bool) -> tuple[Quit | None, int]:
    from console.tui.launch import open_console
    from console.tui.state import EngineOwnership

    client = TelemetryClient(endpoint, allow_control=True)
    own = EngineOwnership(child.end_in_words, tied, child.said)
    return open_console(client, endpoint.name, own=own, only_ascii=only_ascii, greeting=child.said(), here=True)


def _part(child: EngineChild, endpoint: Endpoint, choice: Quit | None, code: int) -> int:
    if ended := child.end_in_words():
        say(ended)
        ends_with = child.process.returncode
        return code or (ends_with if ends_with >= 0 else 1)
    if choice is not None and choice.value != "leave":
        say(f"the engine was asked to {choice.value} and ends by itself; its log: {child.log}")
    else:
        say(f"the engine runs on; come back with: scaler-batch attach {endpoint.name} --allow-writes")
        say(f"its log: {child.log}")
    return code


def _end_local(child: EngineChild, choice: Quit | None, code: int) -> int:
    if child.process.poll() is None:
        gently = choice is not None and choice.value == "drain"
        begin = child.log.stat().st_size
        say("draining: what runs may finish; Ctrl-C stops now" if gently else "stopping")
        child.process.send_signal(signal.SIGTERM if gently else signal.SIGHUP)
        _wait(child, begin)
    sys.stdout.write(child.said())
    return code or abs(child.process.returncode)


def _wait(child: EngineChild, begin: int) -> None:
    try:
        follow_to_end(child, begin)
    except KeyboardInterrupt:
        child.process.send_signal(signal.SIGHUP)
        child.process.wait()


def follow_to_end(child: EngineChild, begin: int) -> None:
    """Wait for the engine's end, and show what it logs from byte `begin` on: how far a drain is, and what is wrong."""
    with open(child.log, "rb") as log:
        log.seek(begin)
        has_ended = False
        while not has_ended:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(LOOK_S)
            has_ended = child.process.poll() is not None  # before the reading: what was said last is read, too
            for line in log.read().decode(errors="replace").splitlines():
                print(harmless(line), file=sys.stderr, flush=True)
