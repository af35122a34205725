"""Jobs that a manager leaves behind when it goes away, and the calls that their functions noted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from engine.backends.batch.backend import BatchBackend
from engine.model import TaskWork
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import Recorder, config, environment, eventually


def note_and_nap(path: str, seconds: float) -> str:
    with open(path, "a") as calls:
        calls.write("called\n")
    time.sleep(seconds)
    return path


def calls(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.iterdir())]


async def leave(aws: LocalAWS, manager_id: str, tasks: Sequence[TaskWork], called: Path, count: int) -> None:
    """A manager that goes away, its jobs under way, when `count` functions were called."""
    with environment(aws.environment()):
        told = Recorder()
        backend = await BatchBackend.open(
            config(worker_manager_id=manager_id, inline_limit="auto"), told, lambda _: None
        )
        for task in tasks:
            backend.submit(task)
        await eventually(lambda: len(list(called.iterdir())) >= count)
        await told.until(lambda told: bool(told.placements))
        await backend.stop(terminate=False)
