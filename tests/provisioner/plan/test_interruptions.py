"""Commands that are told to end while they work: what they say, to people and to programs, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.aws import Delays, LocalAWS

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def slow_aws() -> Iterator[LocalAWS]:
    """Long enough to be interrupted in, and where nobody waits for the rest."""
    with LocalAWS(delays=Delays(environment=2, queue=2)) as aws:
        yield aws


def interrupted_run(
    aws: LocalAWS, folder: Path, command: str, at: str, signum: signal.Signals
) -> list[dict[str, object]]:
    """The events of a command that gets the signal once a step of the kind `at` is under way."""
    words = [command, "--yes", "--json", *(["--image", "worker:1"] if command == "provision" else [])]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "provisioner", *words],
        cwd=folder,
        env={**os.environ, **aws.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    events: list[dict[str, object]] = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1].get("kind") == at and events[-1].get("state") == "running":
            process.send_signal(signum)
            break
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (1, "")
    return [*events, *map(json.loads, rest.splitlines())]


def run(aws: LocalAWS, folder: Path, *words: str) -> int:
    environment = {**os.environ, **aws.environment()}
    command = [sys.executable, "-P", "-m", "provisioner", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False).returncode


def test_whoever_interrupts_is_told_what_now_and_the_next_run_goes_on(slow_aws: LocalAWS, tmp_path: Path) -> None:
    made = interrupted_run(slow_aws, tmp_path, "provision", "compute environment", signal.SIGTERM)
    assert made[-1]["event"] == "failed"
    assert "Run this again to go on, or cleanup" in str(made[-1]["error"])
    assert run(slow_aws, tmp_path, "provision", "--image", "worker:1", "--yes") == 0

    for signum in (signal.SIGINT, signal.SIGTERM):
        deleted = interrupted_run(slow_aws, tmp_path, "cleanup", "compute environment", signum)
        assert deleted[-1] == {
            "event": "failed",
            "error": "Interrupted: what was deleted so far is gone. Run this again to go on.",
        }
    assert run(slow_aws, tmp_path, "cleanup", "--yes") == 0
    assert list(tmp_path.iterdir()) == []
