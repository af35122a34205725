"""The provisioner's commands as this process runs them, and as one that is killed at a call."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli import main
from tests.support.forks import end_fork
from tests.support.provisioner.faults.shared_session import SharedSession

Event = dict[str, Any]
REGION = "eu-central-1"
"""Not us-east-1, where making a bucket twice is no error."""

REGISTRY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said: JSON lines and text for people."""

    exit_code: int
    events: list[Event]
    errors: str

    @property
    def last(self) -> Event:
        return self.events[-1]


class Commands:
    """The commands of one stack, with state files of their own.

    `flags` are more of `provision` and `plan`; `image` is one of the stack's own repository, which is therefore made,
    too, and without it one is built.
    """

    def __init__(self, prefix: str, folder: Path, session: SharedSession) -> None:
        self.prefix = prefix
        self._folder = folder
        self.config = folder / "config.json"
        self._files = ("--config", str(self.config), "--env-file", str(folder / "env"))
        self._session = session
        self.flags: tuple[str, ...] = ()
        self.image = f"{REGISTRY}/{prefix}-worker:1"

    def copied(self, folder: Path) -> Commands:
        """Of the same stack, with copies of the state files in an empty folder."""
        shutil.copytree(self._folder, folder, dirs_exist_ok=True)
        return Commands(self.prefix, folder, self._session)

    def provision(self) -> Ran:
        return run(self._provision())

    def cleanup(self) -> Ran:
        return run(self._cleanup())

    def plan(self) -> Ran:
        return run(("plan", *self._spec(), "--detailed-exitcode", "--json", *self._files[:2]))

    def provision_killed(self, index: int, event: str) -> None:
        self._killed(self._provision(), index, event)

    def cleanup_killed(self, index: int, event: str) -> None:
        self._killed(self._cleanup(), index, event)

    def _stack(self) -> tuple[str, ...]:
        return ("--region", REGION, "--prefix", self.prefix)

    def _spec(self) -> tuple[str, ...]:
        return (*self._stack(), *(("--image", self.image) if self.image else ()), *self.flags)

    def _provision(self) -> tuple[str, ...]:
        return ("provision", *self._spec(), "--yes", "--reduce", "--json", *self._files)

    def _cleanup(self) -> tuple[str, ...]:
        return ("cleanup", *self._stack(), "--yes", "--json", *self._files)

    def _killed(self, arguments: tuple[str, ...], index: int, event: str) -> None:
        """Runs them in a forked process that kills itself at `event` of its call of that index."""
        child = self._session.fork()
        if child == 0:
            try:
                self._session.renew(event, killer(index))
                run(arguments)
            finally:
                os._exit(0)  # nothing of pytest's runs a second time
        try:
            status = self._session.wait(child)
        except BaseException:  # the test is given up
            end_fork(child)
            raise
        assert os.WIFSIGNALED(status), "it ended before the call was made"
        assert os.WTERMSIG(status) == signal.SIGKILL


AFTER_CALL = "response-received"
"""botocore's event: the answer of a request has come."""


def killer(index: int) -> Callable[..., None]:
    seen = iter(range(index))

    def strike(**_: object) -> None:
        if next(seen, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


def run(arguments: tuple[str, ...]) -> Ran:
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["provisioner", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    lines = [line for line in out.getvalue().splitlines() if line.startswith("{")]
    return Ran(int(ended.value.code or 0), [json.loads(line) for line in lines], errors.getvalue())
