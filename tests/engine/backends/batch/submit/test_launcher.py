"""Frames that are being packed and uploaded are bounded in bytes, whatever the number of submissions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from container.batch_job_wire.payload_frames import Blob
from engine.backends.batch.ledger import BatchTask, Ledger
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.submit.packing import Packing
from engine.backends.batch.submit.request import JobTemplate
from engine.causes import CauseKind, FailureCause
from engine.model import ResourceShape, Route, TaskWork
from tests.support.engine.batch_harness import Recorder
from tests.support.engine.task_manager_bench import settle

LIMIT = 1_000_000
BLOB = 10_000
"""Bytes, few enough for a blob to be part of its frame."""
TEMPLATE = JobTemplate("queue", "definition", (), "s3://bucket/tasks/wm", "", 60, {}, 0, None)
ROOMY = replace(TEMPLATE, inline_limit=28_672)
FUNCTION = Blob.of(b"function")


class Launching:
    """A launcher whose uploads end when the test says so."""

    def __init__(self, template: JobTemplate = TEMPLATE, packing: Packing | None = None) -> None:
        parts: Any = self
        self.uploads: list[int] = []
        self.too_large = ""
        self.old_image = ""
        self.refusals: list[tuple[int, str, CauseKind]] = []
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
            template=template,
            blobs=parts,
            code=parts,
            code_trial=parts,
            ambiguous=parts,
            definitions=parts,
            sizes=parts,
            packing=packing or Packing("off", jobs=1, ledger=self.ledger),
            secrets=SubmissionSecrets(bytes(32)),
            delivery=parts,
            observer=self.told,
            spawn=lambda work: self.background.add(asyncio.ensure_future(work)),
            random_bits=lambda bits: len(self.ledger.submissions),
        )

    def launch(self, number: int, size: int) -> None:
        self.launch_together([tuple(Blob.of(os.urandom(BLOB)) for _ in range(size // BLOB))], number)

    def launch_together(self, arguments: Sequence[tuple[Blob, ...]], number: int = 0) -> None:
        """As one submission."""
        works = [
            TaskWork(bytes([number, place]) * 8, ResourceShape(), FUNCTION, FUNCTION, blobs)
            for place, blobs in enumerate(arguments)
        ]
        self.launcher.launch([BatchTask(work.task_id, work.shape, work) for work in works])

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

    async def blobs(self, digest: str) -> dict[str, Blob]:
        return {}

    async def provide(self, blobs: object) -> None: ...

    def release(self, digests: object) -> None: ...

    # the image's trial, limits of sizes, and delivery

    def image_refusal(self, shape: ResourceShape) -> str:
        return self.old_image

    async def refusal(self, shape: ResourceShape) -> str:
        return self.too_large

    async def refuse(self, tasks: Sequence[BatchTask], why: str, cause: FailureCause) -> None:
        self.refusals.append((len(tasks), why, cause.kind))


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


SMALL, LARGE = (Blob.of(os.urandom(10)),), (Blob.of(os.urandom(3_000)),)
OWN = [len(FUNCTION.data) + 10, len(FUNCTION.data) + 3_000]


@pytest.mark.parametrize(
    ("template", "arguments", "own", "wire"),
    [
        (TEMPLATE, [SMALL, LARGE, SMALL], [OWN[0], OWN[1], OWN[0]], [OWN[0], OWN[1], OWN[0]]),
        (ROOMY, [SMALL, LARGE], OWN, [24, 4 * 1003]),
        (ROOMY, [LARGE, LARGE, (*LARGE, *SMALL)], [OWN[1], OWN[1], OWN[1] + 10], None),
        (ROOMY, [LARGE * 2], [OWN[1]], None),
    ],
    ids=["s3", "inline", "with the same blob", "alone"],
)
async def test_each_task_of_a_submission_is_told_its_own_bytes(
    template: JobTemplate, arguments: Sequence[tuple[Blob, ...]], own: list[int], wire: list[int] | None
) -> None:
    launching = Launching(template)
    launching.go_on.set()
    launching.launch_together(arguments)
    await launching.finish()
    [placement] = launching.told.placements
    assert [placement.bytes_of(place)[0] for place in range(len(own))] == own
    if wire is not None:
        assert [placement.bytes_of(place)[1] for place in range(len(own))] == wire


async def test_how_a_task_travels_that_was_compressed_with_others_is_not_known() -> None:
    launching = Launching(ROOMY)
    launching.launch_together([(Blob.of(bytes(3_000)),), (Blob.of(bytes(2_000)),)])
    await launching.finish()
    [placement] = launching.told.placements
    assert placement.route is Route.GZIP
    assert [placement.bytes_of(place)[1] for place in range(2)] == [0, 0]


async def test_how_a_task_travels_that_was_compressed_alone_is_known() -> None:
    launching = Launching(ROOMY)
    launching.launch_together([(Blob.of(bytes(30_000)),)])
    await launching.finish()
    [placement] = launching.told.placements
    assert (placement.route, placement.bytes_of(0)[1]) == (Route.GZIP, placement.wire_bytes)


async def test_what_the_image_is_too_old_for_fails_at_once_and_is_never_sent() -> None:
    launching = Launching()
    launching.old_image = "build it anew"
    launching.launch_together([SMALL, SMALL])
    await launching.finish()
    assert launching.refusals == [(2, "build it anew", CauseKind.UNLOADABLE)]
    assert (launching.uploads, launching.told.placements) == ([], [])


async def test_what_no_environment_can_serve_fails_at_once_and_is_never_sent() -> None:
    launching = Launching()
    launching.too_large = "no environment can serve it"
    launching.launch_together([SMALL, SMALL])
    await launching.finish()
    assert launching.refusals == [(2, "no environment can serve it", CauseKind.TOO_LARGE)]
    assert (launching.uploads, launching.told.placements) == ([], [])
