"""Child processes of `scaler-batch` that read or change AWS: their options, output and end.

The console has no AWS library; the children print JSON.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from console.local.stack import LocalStack, find_local_stack
from console.processes.children import ends_within, signal_group, start_child
from console.tui.drawing.spans import clean
from console.tui.stack.schema import StackEntry
from engine.errors import EngineError

PROGRAM: Final = (sys.executable, "-P", "-c", "from console.cli.main import main; main()")
WRITING: Final = frozenset({"provision", "cleanup"})
"""Commands that change the files of saved stacks."""
LONGEST_LINE: Final = 1 << 20
"""Bytes; a longer line is left out. The longest there is holds a whole plan."""
LONGEST_ANSWER: Final = 4 << 20
_CHUNK: Final = 1 << 16
_TAIL: Final = 4096
ENDING: Final = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""Signals, and the seconds that each is given: an interrupted run saves how far it came."""


def stack_options(entry: StackEntry) -> tuple[str, ...]:
    """Options that name the stack."""
    return "--region", entry.region, "--prefix", entry.prefix


def spec_options(entry: StackEntry, image: str = "") -> tuple[str, ...]:
    """Options that ask for the stack as it was asked for before, on another `image` if one is given."""
    options: dict[str, object] = {
        "--image": image or entry.image,
        "--vcpus": entry.vcpus,
        "--memory": entry.memory,
        "--gpus": entry.gpus,
        "--max-vcpus": entry.max_vcpus,
        "--instance-types": ",".join(entry.instance_types),
        "--job-timeout": entry.job_timeout_minutes,
        "--vpc-id": entry.vpc_id,
        "--subnet-ids": ",".join(entry.subnet_ids),
        "--permissions-boundary": entry.permissions_boundary,
        "--s3-prefix": entry.s3_prefix,
        "--expiry-days": entry.expiry_days,
        "--runnable-limit": entry.runnable_limit_minutes,
    }
    given = [word for flag, value in options.items() if value not in (None, "") for word in (flag, str(value))]
    return *stack_options(entry), *given, *(("--spot",) if entry.spot else ())


def image_options(entry: StackEntry) -> tuple[str, ...]:
    """Options that ask for an image for the stack's instances."""
    from provisioner.stack.instance_types import architecture

    processor = architecture(entry.instance_types) if entry.instance_types else None
    return *stack_options(entry), *(("--platform", f"linux/{processor}") if processor else ())


@dataclass(frozen=True, slots=True)
class StackLocation:
    """AWS that a command works on, by its variables, and the files where its stacks are saved."""

    environ: Mapping[str, str]
    stack: LocalStack | None = None
    """None: in the current folder, as the commands have it by default."""

    def options(self, command: str) -> tuple[str, ...]:
        """Options that name the files `command` reads and writes."""
        if self.stack is None or command == "build-image":
            return ()
        config = ("--config", str(self.stack.config))
        return (*config, "--env-file", str(self.stack.env_file)) if command in WRITING else config


def locate_stack(endpoint: str) -> StackLocation:
    """Location of an engine's AWS by its endpoint: a stand-in and the real AWS must never be confused."""
    if stack := find_local_stack(endpoint):
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return StackLocation({**others, **stack.aws}, stack)
    environ = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    return StackLocation({**environ, "AWS_ENDPOINT_URL": endpoint} if endpoint else environ)


async def read_output(program: Sequence[str], words: Sequence[str], location: StackLocation) -> bytes:
    """Output of a command that only reads. Raises `EngineError` with its last words when it fails."""
    process = await start_child(
        (*program, *words, *location.options(words[0])), location.environ, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        text, last = await asyncio.gather(_read_all(process.stdout), read_last_line(process.stderr))
        code = await process.wait()
    finally:
        await kill_group(process)
    if code or not text.strip():
        raise EngineError(last or f"scaler-batch {words[0]} ended with exit code {code} and said nothing")
    return text


async def read_lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield lines as they come; empty ones and those above 1 MiB are left out."""
    rest, endless = b"", False
    while chunk := await stream.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if not endless and line.strip():
                yield line
            endless = False
        if len(rest) > LONGEST_LINE:
            rest, endless = b"", True
    if rest.strip() and not endless:
        yield rest


async def read_last_line(stream: asyncio.StreamReader) -> str:
    """Last line on standard error: by the house's rule one sentence that says what is wrong."""
    tail = b""
    while chunk := await stream.read(_CHUNK):
        tail = (tail + chunk)[-_TAIL:]
    spoken = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    return clean(spoken[-1]).removeprefix("scaler-batch: ") if spoken else ""


async def end_gracefully(process: Process) -> None:
    """End a process with SIGINT, SIGTERM, then SIGKILL, each with its grace."""
    for number, seconds in ENDING:
        signal_group(process, number)
        if await ends_within(process, seconds):
            return


async def kill_group(process: Process) -> None:
    """Kill a process and everything that it started."""
    if process.returncode is None:
        signal_group(process, signal.SIGKILL)
        await process.wait()


async def _read_all(stream: asyncio.StreamReader) -> bytes:
    text = b""
    while chunk := await stream.read(_CHUNK):
        text += chunk
        if len(text) > LONGEST_ANSWER:
            raise EngineError(f"scaler-batch answered more than {LONGEST_ANSWER >> 20} MiB: this console reads no more")
    return text
