"""Session inside a local cluster: the engine, and a client beside it.

Owns their lifetimes and what a signal means: the first Ctrl-C (or SIGTERM) drains the engine, the second
stops both at once. A client that ends by itself drains the engine too, so that everything is delivered and
cleaned up.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console.processes.children import end_child, ends_within, signal_child, signal_group, start_child

CLIENT_GRACE_S: Final = 5.0
_DRAINING: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class ChildProgram:
    """A command and its environment."""

    command: Sequence[str]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Exit codes and output at the end of a session.

    `client_code` is None without a client, and when the client didn't end by itself.
    """

    engine_code: int
    client_code: int | None = None
    client_output: bytes = b""
    client_interrupted: bool = False
    stopped: bool = False
    """A second signal, or the console, had it stop now: that its engine was killed is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Callbacks by which a session speaks.

    `say` for sentences, `started` once, when signals are listened to and the engine runs. `client_ended` gets exit code
    and output of a client that ended while the session stays.
    """

    say: Callable[[str], None]
    started: Callable[[], None]
    client_ended: Callable[[int, bytes], None] = lambda code, output: None


class LocalSession:
    """One engine, and one client or none. The client's output is captured when `capture` says so.

    With `stay` the engine goes on when the client has ended, until a signal.
    """

    def __init__(
        self,
        engine: ChildProgram,
        client: ChildProgram | None,
        voice: Voice,
        *,
        capture: bool = False,
        stay: bool = False,
        client_grace_seconds: float = CLIENT_GRACE_S,
    ) -> None:
        self._engine_program = engine
        self._client_program = client
        self._voice = voice
        self._stdout = PIPE if capture else None
        self._stay = stay
        self._grace = client_grace_seconds
        self._engine: Process | None = None
        self._client: Process | None = None
        self._draining = self._stopping = False

    async def run(self) -> SessionEnd:
        """Run both. Returns when both have ended; leaves no process behind, whatever is raised."""
        self._listen()
        try:
            self._engine = await start_child(self._engine_program.command, self._engine_program.environ)
            self._voice.started()
            if self._client_program is None:
                end = SessionEnd(await self._engine_end(self._engine))
            else:
                end = await self._run_with_client(self._engine, self._client_program)
            return replace(end, stopped=self._stopping)
        finally:
            self._kill()

    async def _run_with_client(self, engine: Process, program: ChildProgram) -> SessionEnd:
        client = self._client = await start_child(program.command, program.environ, stdout=self._stdout)
        engine_end = asyncio.create_task(self._engine_end(engine))
        client_end = asyncio.create_task(client.communicate())
        await asyncio.wait((engine_end, client_end), return_when=asyncio.FIRST_COMPLETED)
        if client_end.done():
            if self._stay:
                output, _ = await client_end
                self._voice.client_ended(client.returncode or 0, output or b"")
            else:
                self._drain()
        elif await self._interrupt_client(client, await engine_end):
            await client_end
            return SessionEnd(await engine_end, client_interrupted=True)
        output, _ = await client_end
        return SessionEnd(await engine_end, client.returncode, output or b"")

    async def _interrupt_client(self, client: Process, engine_code: int) -> bool:
        """False when it ends by itself: after a drain it may hold all its results already."""
        if engine_code == 0 and await ends_within(client, self._grace):
            return False
        await end_child(client, self._grace)
        return True

    async def _engine_end(self, engine: Process) -> int:
        code = await engine.wait()
        # An engine that is asked to end before it could listen for that has nothing to drain.
        return 0 if self._draining and code == -signal.SIGTERM else code

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _DRAINING:
            loop.add_signal_handler(number, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._stop)

    def _interrupt(self) -> None:
        if self._draining:
            self._voice.say("stopping now")
            self._stop()
            return
        self._voice.say("draining: what runs may finish; Ctrl-C again stops now")
        self._drain()

    def _drain(self) -> None:
        self._draining = True
        if self._engine is not None and self._engine.returncode is None:
            signal_child(self._engine, signal.SIGTERM)

    def _stop(self) -> None:
        self._stopping = True
        self._kill()

    def _kill(self) -> None:
        for child in (self._client, self._engine):
            if child is not None:
                signal_group(child, signal.SIGKILL)
