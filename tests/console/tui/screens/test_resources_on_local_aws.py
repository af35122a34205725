"""The resources screen on the real `scaler-batch` and the local AWS: drift is seen, mended, and all of it deleted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from console.tui.stack.model import Provisioning
from console.tui.stack.process import PROGRAM
from console.tui.stack.run import RunOutcome
from engine.telemetry.schema.messages import FullState
from provisioner.local.aws import LocalAWS
from tests.support.console.running_app import WatchedSource
from tests.support.console.stack_screen import on_screen, read, until

PREFIX, REGION = "screen", "us-east-1"
ENVIRONMENT = f"{PREFIX}-compute"
WORDS = ("provision", "--yes", "--image", "worker:1", "--prefix", PREFIX, "--region", REGION, "--max-vcpus", "64")
SECONDS = 120.0
pytestmark = pytest.mark.long


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAWS]:
    """With a stack that was provisioned from the folder that this process is in, and changed by hand."""
    monkeypatch.chdir(tmp_path)
    with LocalAWS(time_scale=0.05) as aws:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        subprocess.run((*PROGRAM, *WORDS), check=True, capture_output=True, timeout=SECONDS)
        aws.client("batch").update_compute_environment(
            computeEnvironment=ENVIRONMENT, computeResources={"maxvCpus": 32}
        )
        monkeypatch.delenv("AWS_ENDPOINT_URL")  # the engine's is what counts
        yield aws


def engine_of(aws: LocalAWS) -> WatchedSource:
    """A made-up engine on the stack's queue."""
    source = WatchedSource(may_control=True)
    snapshot = source.replica.snapshot
    assert snapshot is not None
    [manager] = snapshot.managers
    ours = msgspec.structs.replace(manager, queue=f"{PREFIX}-queue", region=REGION, endpoint=aws.endpoint)
    snapshot = msgspec.structs.replace(snapshot, managers=(ours,))
    source.replica.replace(FullState("demo", 0, snapshot, tuple(source.rows.values())), source.replica.received_at)
    return source


def saved_files(folder: Path) -> Iterator[Path]:
    return folder.glob(".scaler*")


async def test_drift_is_seen_and_mended_and_everything_is_deleted(aws: LocalAWS, tmp_path: Path) -> None:
    async with on_screen(Provisioning(), engine_of(aws)) as (app, pilot, known):
        await read(app, pilot, known)
        assert known.errors == {}
        drifted = {each.name: [field.path for field in each.drift] for each in known.resources if each.drift}
        assert list(drifted) == [ENVIRONMENT]
        assert known.provision is not None
        assert [(each.action, each.name) for each in known.provision.to_do] == [("update", ENVIRONMENT)]

        await pilot.press("P", "y")
        await until(app, pilot, lambda: known.run is not None and not known.run.running)
        assert known.run is not None
        assert (known.run.outcome, known.run.error) == (RunOutcome.DONE, "")
        await read(app, pilot, known)
        assert not known.provision.to_do
        assert not any(each.drift for each in known.resources)

        await pilot.press("C", *PREFIX, "enter")
        await until(app, pilot, lambda: known.run is not None and known.run.name == "cleanup" and not known.run.running)
        assert (known.run.outcome, known.run.error) == (RunOutcome.DONE, "")
        screen = await read(app, pilot, known)
        assert "nothing provisioned" in screen.table.text
        assert aws.client("s3").list_buckets()["Buckets"] == []
    assert not list(saved_files(tmp_path))
