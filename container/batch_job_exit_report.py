"""Sentences about a task's process that couldn't say how it ended: what happened, and the likely cause."""

from __future__ import annotations

import platform
import signal
from typing import Final

from batch_job_control import Phase
from batch_job_memory import memory_limit
from batch_job_protocol import MORE_MEMORY
from batch_job_supervisor import Exit, ProcessEnding

_DOING: Final = {
    Phase.LOADING: "while the function and its arguments were loaded",
    Phase.RUNNING: "while the function ran",
    Phase.RETURNING: "while the result was serialized",
}
_CRASHES: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE)


def describe_death(ending: ProcessEnding) -> str:
    """One sentence for the client: what happened, in which phase, after how long, with how much memory."""
    facts = f"{_DOING[ending.phase]} (it had run for {ending.duration_s:.1f} s"
    memory = f"peak memory {ending.exit.peak_bytes / 2**20:.0f} MiB)"
    return f"the task's process {_manner(ending.exit)} {facts}, {memory}: {_cause(ending)}"


def _manner(end: Exit) -> str:
    if end.signal is None:
        return f"ended with exit code {end.code}"
    return f"was ended by signal {end.signal} ({_name(end.signal)})"


def _cause(ending: ProcessEnding) -> str:
    end, phase = ending.exit, ending.phase
    if ending.damage:
        return f"what it sent to the runner was damaged ({ending.damage}): something else wrote to its descriptor"
    if end.signal is None:
        return "something called os._exit or ended the process in another way past Python"
    if ending.is_out_of_memory:
        limit = memory_limit()
        has = f"the {limit / 2**20:.0f} MiB that the job has" if limit else "the job has"
        return f"it needed more memory than {has}; {MORE_MEMORY}"
    if end.signal == signal.SIGKILL:
        return "something sent it SIGKILL, most likely because it needed more memory than the job has"
    if end.signal in _CRASHES and phase is Phase.LOADING:
        return f"most likely the client's Python isn't the container's ({platform.python_version()})"
    if end.signal in _CRASHES:
        return "native code crashed; a client whose Python or libraries differ from the container's is a usual cause"
    return "the function or a library that it uses sent that signal"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
