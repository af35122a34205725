"""The dashboard as plain text, once: for pipes, scripts and terminals that can't draw."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from console.cli.commands.jobs import print_jobs
from console.cli.commands.status import print_status
from console.cli.session import answer, looking
from engine.telemetry.schema.messages import FullState, GetFullState, GetJobPage, JobPage

MOST_URGENT: Final = 20


def print_once(engine: str | None, keys: Path | None) -> None:
    """What the engine does and its most urgent jobs. Raises `EngineError`."""
    with looking(engine, keys) as client:
        state = answer(client, GetFullState(), FullState)
        jobs = answer(client, GetJobPage(limit=MOST_URGENT), JobPage)
        print_status(client.endpoint.name, state.snapshot)
    print()
    print_jobs(jobs)
