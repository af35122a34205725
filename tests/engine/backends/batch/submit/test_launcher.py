"""Frames that are being packed and uploaded are bounded in bytes, whatever the number of submissions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from container.batch_job_frames import Blob
from engine.backends.batch.ledger import BatchTask, Ledger
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.submit.request import JobTemplate
from engine.model import ResourceShape, TaskWork
from tests.support.engine.batch_harness import Recorder
from tests.support.engine.task_manager_bench import settle

LIMIT = 1_000_000
BLOB = 10_000
"""Bytes, few enough for a blob to be part of its frame."""
TEMPLATE = JobTemplate("queue", "definition", (), "s3://bucket/tasks/wm", "", 60, {}, 0, None)
FUNCTION = Blob.of(b"function")


class Launching:
    """A launcher whose uploads end when the test says so."""

    def __init__(self) -> None:
        parts: Any = self
        self.uploads: list[int] = []
        self.under_way = 0
        self.most = 0
        self.go_on = asyncio.Event()
        self.told = Recorder()
        self.ledger = Ledger()
        self.background: set[asyncio.Task[None]] = set()
        self.launcher = Launcher(
            client=parts,
            ledger=self.ledger,
            layout=StoreLayout("bucket", "tasks", "wm"),
            template=TEMPLATE,
            blobs=parts,
            ambiguous=parts,
            definitions=parts,
            secrets=SubmissionSecrets(bytes(32)),
            delivery=parts,
            observer=self.told,
            spawn=lambda work: self.background.add(asyncio.ensure_future(work)),
            random_bits=lambda bits: len(self.ledger.submissions),
        )

    def launch(self, number: int, size: int) -> None:
        arguments = tuple(Blob.of(os.urandom(BLOB)) for _ in range(size // BLOB))
        work = TaskWork(bytes([number]) * 16, ResourceShape(), FUNCTION, FUNCTION, arguments)
        self.launcher.launch([BatchTask(work.task_id, work.shape, work)])

    async def finish(self) -> None:
        self.go_on.set()
        await asyncio.wait_for(asyncio.gather(*self.background), 5)

    # the client and the store of blobs

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        return work()

    async def call(self, operation: object, **arguments: Any) -> None:
        self.under_way += len(arguments["Body"])
        self.uploads.append(len(arguments["Body"]))
        self.most = max(self.most, self.under_way)
        await self.go_on.wait()
        self.under_way -= len(arguments["Body"])

    async def run(self, *_: object, **__: object) -> str:
        return f"J{len(self.told.placements)}"

    async def provide(self, blobs: object) -> None: ...

    def release(self, digests: object) -> None: ...


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.batch.submit.launcher.FRAME_BYTES", LIMIT)


async def test_frames_are_packed_as_far_as_their_bytes_have_room() -> None:
    launching = Launching()
    for number in range(5):
        launching.launch(number, 400_000)
    await settle()
    early = len(launching.uploads)
    await launching.finish()
    assert (early, len(launching.told.placements), launching.most <= LIMIT) == (2, 5, True)


async def test_a_frame_beyond_the_limit_goes_alone() -> None:
    launching = Launching()
    launching.launch(1, 2 * LIMIT)
    launching.launch(2, 10)
    await settle()
    early = list(launching.uploads)
    await launching.finish()
    assert ([size > LIMIT for size in early], len(launching.told.placements)) == ([True], 2)


async def test_a_small_frame_passes_a_large_one_that_waits() -> None:
    launching = Launching()
    for number, size in enumerate((700_000, 700_000, 10)):
        launching.launch(number, size)
    await settle()
    early = len(launching.uploads)
    await launching.finish()
    assert (early, len(launching.told.placements)) == (2, 3)
