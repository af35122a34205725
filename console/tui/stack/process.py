"""Child processes of `scaler-batch`: their arguments, their output, and how they are ended.

The console has no AWS library; what reads or changes AWS is a child that prints JSON.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import scaler_batch
from console.foreign_text import clean
from console.local.stack import LocalStack, find_local_stack
from console.processes.children import ends_within, signal_group, start_child
from engine.errors import EngineError
from provisioner.json_schema import StackEntry

PROGRAM: Final = scaler_batch.command()


class StackCommand(StrEnum):
    """Command of `scaler-batch` that changes a stack."""

    PROVISION = "provision"
    CLEANUP = "cleanup"
    BUILD_IMAGE = "build-image"


WRITING: Final = frozenset({StackCommand.PROVISION, StackCommand.CLEANUP})
"""Commands that change the files that keep what was provisioned."""

LONGEST_LINE: Final = 1 << 20
"""Bytes of a line; a longer one is left out. The longest there is holds a whole plan."""
LONGEST_OUTPUT: Final = 4 << 20
"""Bytes of the output of a command that only reads."""
_CHUNK: Final = 1 << 16
_TAIL: Final = 4096
ENDING: Final = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""Signals, and the seconds that each is given: an interrupted run saves how far it came."""


def stack_arguments(entry: StackEntry) -> tuple[str, ...]:
    """Arguments that name the stack."""
    return "--region", entry.region, "--prefix", entry.prefix


def spec_arguments(entry: StackEntry, image: str = "") -> tuple[str, ...]:
    """Arguments that ask for the stack as it was provisioned, on another `image` if one is given."""
    choices: dict[str, object] = {
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
        "--kms-key": entry.kms_key,
        "--s3-prefix": entry.s3_prefix,
        "--expiry-days": entry.expiry_days,
        "--runnable-limit": entry.runnable_limit_minutes,
    }
    given = [word for flag, value in choices.items() if value not in (None, "") for word in (flag, str(value))]
    return *stack_arguments(entry), *given, *(("--spot",) if entry.spot else ())


def image_arguments(entry: StackEntry) -> tuple[str, ...]:
    """Arguments that ask for an image that runs on the stack's instances."""
    from provisioner.stack.instance_types import architecture

    processor = architecture(entry.instance_types) if entry.instance_types else None
    return *stack_arguments(entry), *(("--platform", f"linux/{processor}") if processor else ())


@dataclass(frozen=True, slots=True)
class StackLocation:
    """Location of a stack: the AWS that a command works on, by its variables, and the files it is saved in."""

    environ: Mapping[str, str]
    stack: LocalStack | None = None
    """None: in the current folder, as the commands have it by default."""

    def arguments(self, command: str) -> tuple[str, ...]:
        """Arguments that name the files that `command` reads and writes."""
        if self.stack is None:
            return ()
        config = ("--config", str(self.stack.config))
        return (*config, "--env-file", str(self.stack.env_file)) if command in WRITING else config


def location_at(endpoint: str) -> StackLocation:
    """Location of the stacks in an engine's AWS, by its endpoint.

    A stand-in must not be taken for the real one, nor the other way round.
    """
    if stack := find_local_stack(endpoint):
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return StackLocation({**others, **stack.aws}, stack)
    environ = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    return StackLocation({**environ, "AWS_ENDPOINT_URL": endpoint} if endpoint else environ)


async def command_output(program: Sequence[str], arguments: Sequence[str], location: StackLocation) -> bytes:
    """Standard output of a command that only reads. Raises `EngineError` with its last words when it fails."""
    process = await start_child(
        (*program, *arguments, *location.arguments(arguments[0])), location.environ, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        text, last = await asyncio.gather(_all_of(process.stdout), last_line(process.stderr))
        code = await process.wait()
    finally:
        await end_now(process)
    if code or not text.strip():
        raise EngineError(last or f"scaler-batch {arguments[0]} ended with exit code {code} and said nothing")
    return text


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Lines of a stream as they come, empty and endless ones left out."""
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


async def last_line(stream: asyncio.StreamReader) -> str:
    """Last line of a stream: on standard error that is one sentence that says what is wrong."""
    tail = b""
    while chunk := await stream.read(_CHUNK):
        tail = (tail + chunk)[-_TAIL:]
    printed = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    return clean(printed[-1]).removeprefix("scaler-batch: ") if printed else ""


async def end_gently(process: Process) -> None:
    """End a process by the signals of `ENDING`, one after the other until it has ended."""
    for number, seconds in ENDING:
        signal_group(process, number)
        if await ends_within(process, seconds):
            return


async def end_now(process: Process) -> None:
    """Kill a process and what it started."""
    if process.returncode is None:
        signal_group(process, signal.SIGKILL)
        await process.wait()


async def _all_of(stream: asyncio.StreamReader) -> bytes:
    text = b""
    while chunk := await stream.read(_CHUNK):
        text += chunk
        if len(text) > LONGEST_OUTPUT:
            raise EngineError(f"scaler-batch answered more than {LONGEST_OUTPUT >> 20} MiB: this console reads no more")
    return text
