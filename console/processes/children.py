"""Child processes that can't outlive this one.

A child gets a process group of its own, so that a Ctrl-C at the terminal reaches only us and we decide
what it means, and so that whatever it starts can be ended with it. On Linux the kernel kills it when we die,
kill -9 included.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence

from console.processes.tied_program import tied


async def start_child(
    command: Sequence[str], environ: Mapping[str, str], *, stdout: int | None = None, stderr: int | None = None
) -> Process:
    """Start `command` without standard input; `stdout` as for `asyncio.create_subprocess_exec`.

    Must be called on the main thread: the kernel ties the child to the thread that started it.
    """
    return await asyncio.create_subprocess_exec(
        *tied(command), env=dict(environ), stdin=DEVNULL, stdout=stdout, stderr=stderr, process_group=0
    )


def signal_child(child: Process, number: signal.Signals) -> None:
    """Send `number` to the child alone. Its own methods for that may take its exit code from whoever waits for it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, number)


def signal_group(child: Process, number: signal.Signals) -> None:
    """Send `number` to the child and to what it started; nothing happens when they are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


async def ends_within(child: Process, seconds: float) -> bool:
    """Wait for the child's end, that long at most. Returns whether it came."""
    try:
        await asyncio.wait_for(child.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def end_child(child: Process, grace_seconds: float) -> None:
    """Interrupt the child's group with SIGINT, as Ctrl-C does, and kill it after the grace."""
    signal_group(child, signal.SIGINT)
    if not await ends_within(child, grace_seconds):
        signal_group(child, signal.SIGKILL)
        await child.wait()
