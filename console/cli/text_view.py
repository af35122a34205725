"""Plain-text view of an engine, printed once: for pipes, scripts and terminals that can't draw."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from console.cli.commands.jobs import print_jobs
from console.cli.commands.status import print_status
from console.cli.session import call_engine, connect
from engine.telemetry.endpoints import Endpoint
from engine.telemetry.schema.messages import FullState, GetFullState, GetJobPage, JobPage

MOST_URGENT: Final = 20


def print_once(engine: Endpoint, keys: Path | None) -> None:
    """Print the engine's status and its most urgent jobs. Raises `EngineError`."""
    with connect(engine, keys) as client:
        state = call_engine(client, GetFullState(), FullState)
        jobs = call_engine(client, GetJobPage(limit=MOST_URGENT), JobPage)
        print_status(client.endpoint.name, state.snapshot)
    print()
    print_jobs(jobs)
