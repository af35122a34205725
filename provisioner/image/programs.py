"""Child processes of other people's programs: argument lists, never a shell, and none is left behind."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from provisioner.errors import ProvisionError

REMEMBERED_LINES: Final = 50
ANSWER_S: Final = 60
"""Limit of a program that does something quick, like a login."""

ENDING_S: Final = 10
COVER: Final = "****"
"""What stands for a secret in a program's output."""


class ProgramFailed(ProvisionError):
    """Program that ended with another exit code than 0. `lines` are its last ones."""

    def __init__(self, title: str, code: int, lines: Sequence[str]) -> None:
        super().__init__(f"{title} failed with exit code {code}: {_error_line(lines)}")
        self.lines = tuple(lines)


def stream(
    title: str,
    command: Sequence[str],
    say: Callable[[str], None],
    environment: Mapping[str, str],
    hidden: Sequence[str] = (),
) -> str:
    """Run a program to its end and say each line of its output as it comes. Returns the last one.

    Raises `ProgramFailed`; `title` is what people call it, like "docker build". What is `hidden` stands in no line.
    """
    lines: deque[str] = deque(maxlen=REMEMBERED_LINES)
    with _started(title, command, environment) as process:
        try:
            for line in _output_of(process, hidden):
                lines.append(line)
                say(line)
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        raise ProgramFailed(title, process.returncode, lines)
    return lines[-1] if lines else ""


def run_captured(title: str, command: Sequence[str], environment: Mapping[str, str], *, secret: str = "") -> str:
    """Output of a program that answers quickly, with `secret` as its input.

    Raises `ProgramFailed`; `ProvisionError` when it can't be started or takes too long.
    """
    try:
        done = subprocess.run(
            command,
            input=secret,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except OSError as error:
        raise ProvisionError(f"{title} could not be started: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise ProvisionError(f"{title} gave no answer within {ANSWER_S} s.") from error
    if done.returncode:
        raise ProgramFailed(title, done.returncode, done.stdout.splitlines())
    return done.stdout


def _started(title: str, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ProvisionError(f"{title} could not be started: {error.strerror}.") from error


def _output_of(process: subprocess.Popen[str], hidden: Sequence[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        if text := line.rstrip():
            for secret in hidden:
                text = text.replace(secret, COVER)
            yield text


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _error_line(lines: Sequence[str]) -> str:
    """The last line that speaks of an error, else the last one."""
    printed = [line.strip() for line in lines if line.strip()]
    errors = [line for line in printed if "error" in line.lower()]
    return (errors or printed or ["it said nothing"])[-1].rstrip(".") + "."
