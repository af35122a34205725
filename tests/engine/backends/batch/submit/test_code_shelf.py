"""Code of the user's own: what is submitted gets the newest and keeps it, and S3 has it as long as it is needed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from container.batch_job_wire.payload_frames import Blob
from container.batch_job_wire.protocol import JobParameter
from engine.aws.batch_jobs import BatchJob
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.code_shelf import KEPT, CodeShelf
from engine.backends.batch.takeover.scan import shape_of
from engine.code.archive import CodeArchive, pack_code
from engine.model import TaskWork
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import SERIALIZER, objects, running, tidied, work

LAYOUT = StoreLayout("bucket", "tasks", "wm")


def code_of(folder: Path, answer: str) -> CodeArchive:
    package = folder / answer / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"def answer(): return {answer!r}")
    return pack_code([str(package)])


def by_reference(number: int) -> TaskWork:
    """A task that calls `mine.answer()`, which no client has to have."""
    one = work(len)
    return TaskWork(one.task_id, one.shape, SERIALIZER, Blob.of(b"cmine\nanswer\n."), ())


async def test_what_was_submitted_keeps_its_code_and_what_comes_later_has_the_newest(
    aws: LocalAWS, tmp_path: Path
) -> None:
    old, new = code_of(tmp_path, "old"), code_of(tmp_path, "new")
    async with running(aws) as (backend, told):
        backend.use_code(old)
        before = [by_reference(number) for number in range(3)]
        for one in before:
            backend.submit(one)
        backend.use_code(new)
        after = [by_reference(number) for number in range(3)]
        for one in after:
            backend.submit(one)

        assert [await told.value(one) for one in before] == ["old"] * 3
        assert [await told.value(one) for one in after] == ["new"] * 3
        assert [len(one.task_ids) for one in told.placements] == [3, 3]
        assert {key.rpartition("/")[2] for key in objects(aws) if "/objects/" in key} >= {new.digest}
        await backend.forget([one.task_id for one in (*before, *after)])
        await tidied(aws)
    assert [key for key in objects(aws) if "/objects/" in key] == []


async def test_without_code_nothing_is_asked_of_an_image(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = by_reference(0)
        backend.submit(task)
        with pytest.raises(RuntimeError, match="No module named 'mine'"):
            await told.value(task)


@dataclass
class Bucket:
    """What the shelf and the blob store use of AWS: puts into a dictionary, and reads from it."""

    objects: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    refusal: AwsError | None = None

    async def call(self, operation: object, *, Key: str, Body: bytes, **_: Any) -> None:
        self.puts += 1
        if self.refusal is not None:
            raise self.refusal
        self.objects[Key] = Body

    async def run(self, operation: object, read: Any) -> Any:
        return read()

    def get(self, key: str) -> bytes:
        return self.objects[key]


class Shelf:
    """A shelf, and the digests that have users in S3."""

    def __init__(self) -> None:
        self.bucket = Bucket()
        bucket: Any = self.bucket
        self.blobs = BlobStore(client=bucket, layout=LAYOUT, clock=lambda: 0.0)
        self.work: list[asyncio.Task[None]] = []
        self.shelf = CodeShelf(
            client=bucket,
            store=bucket,
            layout=LAYOUT,
            blobs=self.blobs,
            spawn=lambda one: self.work.append(asyncio.ensure_future(one)),
        )

    async def use(self, *contents: bytes) -> list[CodeArchive]:
        archives = [CodeArchive.of(content, 1) for content in contents]
        for archive in archives:
            self.shelf.use(archive)
        await asyncio.gather(*self.work)
        return archives

    def needed(self, archives: list[CodeArchive]) -> list[bool]:
        return [one.digest in self.blobs._stored and self.blobs.may_be_needed(one.digest) for one in archives]


async def test_the_newest_is_uploaded_at_once_and_stays_while_it_is_the_newest() -> None:
    one = Shelf()
    archives = await one.use(b"1")
    assert one.needed(archives) == [True]
    archives += await one.use(b"2")
    assert one.needed(archives) == [False, True]
    await one.use(b"2")
    assert one.bucket.puts == 2
    one.shelf.let_go()
    assert one.needed(archives) == [False, False]


async def test_pushes_in_a_row_leave_the_last_alone() -> None:
    one = Shelf()
    archives = await one.use(b"1", b"2", b"3")
    assert one.needed(archives) == [False, False, True]


async def test_an_upload_that_fails_is_tried_again_with_the_first_submission() -> None:
    one = Shelf()
    one.bucket.refusal = AwsError("PutObject", ErrorAction.REFUSED, "AccessDenied", "no")
    (archive,) = await one.use(b"1")
    one.bucket.refusal = None

    await one.blobs.provide(await one.shelf.blobs(archive.digest))

    assert one.bucket.objects == {LAYOUT.blob(archive.digest): b"1"}


async def test_code_that_is_not_in_memory_any_more_is_read_from_s3_and_checked() -> None:
    one = Shelf()
    archives = await one.use(*(bytes([number]) for number in range(KEPT + 1)))
    lost = archives[0].digest
    one.bucket.objects[LAYOUT.blob(lost)] = archives[0].data
    assert await one.shelf.blobs(lost) == {lost: Blob(archives[0].data, lost)}

    one.bucket.objects[LAYOUT.blob(lost)] = b"altered"
    with pytest.raises(AwsError, match=f"the code {lost[:12]} was altered in S3"):
        await one.shelf.blobs(lost)
    assert await one.shelf.blobs("") == {}


def test_a_job_of_a_predecessor_keeps_its_code_when_it_is_sent_again() -> None:
    options = {JobParameter.OPTIONS.value: f"region=us-east-1;code={'a' * 64}"}
    job: Any = {"jobId": "job", "jobName": "wm", "status": "RUNNING", "parameters": options}

    assert shape_of(BatchJob.parse(job)).code == "a" * 64
