"""What a takeover can't see at once: forgotten jobs, jobs listed late, failures nobody was told, many old jobs."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cloudpickle
import msgspec
import pytest

from container.batch_job_wire.payload_forms import BUNDLE_TEXT, to_bundle, to_inline_gzip
from container.batch_job_wire.payload_frames import encode_payload
from container.batch_job_wire.protocol import bundle_name
from container.batch_job_wire.result_frames import encode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.batch_jobs import LISTED_WITHIN_S
from engine.aws.batch_states import LIVING
from engine.backends.batch.names import JobKind, StoreLayout, job_name, new_submission_id
from engine.backends.batch.submission_secrets import SubmissionSecrets, new_signing_key
from engine.backends.batch.takeover.lease import Lease
from engine.backends.batch.takeover.lease_record import this_process
from engine.backends.batch.takeover.reconcile import Reconciler
from engine.model import TaskWork
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import (
    BUCKET,
    DEFINITION,
    QUEUE,
    config,
    eventually,
    manager_calls,
    objects,
    running,
    work,
    works,
)
from tests.support.engine.left_jobs import calls, leave, note_and_nap


class Predecessor:
    """What a manager that was killed in the middle of a submission may leave, made by hand."""

    def __init__(self, aws: LocalAWS, manager_id: str) -> None:
        self.layout = StoreLayout(BUCKET, config().s3_prefix, manager_id)
        self._s3, self._batch = aws.client("s3"), aws.client("batch")
        self._signing_key = new_signing_key()
        self.secrets = SubmissionSecrets(self._signing_key)

    def put(self, key: str, body: bytes = b"") -> None:
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def die(self) -> None:
        """Its lease stays, and shows a process of this host that is gone."""
        me = this_process("dead")
        process = "1@" + me.process.partition("@")[2]
        gone = msgspec.structs.replace(me, process=process, signing_key=self._signing_key)
        self.put(self.layout.lease, msgspec.json.encode(gone))

    def leave(self) -> None:
        """Its lease was given back, and holds the key of its submissions."""
        left = msgspec.structs.replace(this_process("left"), signing_key=self._signing_key, is_released=True)
        self.put(self.layout.lease, msgspec.json.encode(left))

    def bundle(self, tasks: Sequence[TaskWork], text: str) -> str:
        """One of release 0.1 with the text `s3`."""
        submission_id = new_id()
        secret = b"" if text == BUNDLE_TEXT else self.secrets.of(submission_id)
        self.put(self.layout.payload(bundle_name(submission_id, text)), frame(tasks, secret))
        return submission_id

    def result(self, submission_id: str, task: TaskWork, value: object, *, is_signed: bool = True) -> None:
        meta = ResultMeta(task.task_id.hex(), ResultStatus.SUCCESS, "returning", 1, 0, 0, 0, 0, "3.11", 0, None, "1")
        secret = self.secrets.of(submission_id) if is_signed else b""
        body = bytes(encode_result(meta, cloudpickle.dumps(value), secret))
        self.put(self.layout.result(submission_id, task.task_id), body)

    def submit(self, submission_id: str, tasks: Sequence[TaskWork], text: str) -> str:
        kind, hex_id = (JobKind.SINGLE, tasks[0].task_id.hex()) if len(tasks) == 1 else (JobKind.ARRAY, submission_id)
        arguments: dict[str, Any] = {"arrayProperties": {"size": len(tasks)}} if len(tasks) > 1 else {}
        parameters = {"store": self.layout.uri, "submission": submission_id, "payload": text, "options": "region=none"}
        answer = self._batch.submit_job(
            jobName=job_name(self.layout.manager_id, kind, hex_id),
            jobQueue=QUEUE,
            jobDefinition=DEFINITION,
            parameters=parameters,
            **arguments,
        )
        job_id: str = answer["jobId"]
        return job_id


def new_id() -> str:
    return new_submission_id(time.time(), lambda bits: int.from_bytes(os.urandom(bits // 8), "big"))


def frame(tasks: Sequence[TaskWork], secret: bytes) -> bytes:
    return encode_payload([(task.task_id, task.blobs) for task in tasks], secret=secret)


def only_lease(aws: LocalAWS) -> Callable[[], bool]:
    return lambda: all(key.endswith("/lease") for key in objects(aws))


def noted(folder: Path, count: int, seconds: float) -> list[TaskWork]:
    return [work(note_and_nap, str(folder / str(n)), seconds) for n in range(count)]


@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "unclaimed"])
async def test_results_whose_jobs_batch_forgot_are_delivered_or_deleted(
    aws: LocalAWS, tmp_path: Path, claimed: bool
) -> None:
    manager_id = f"wm-forgotten-{claimed}"
    aws.fault("vanish-finished:1")
    sent = noted(tmp_path, 3, 0.7)
    await leave(aws, manager_id, sent, tmp_path, 3)
    await eventually(lambda: aws.jobs()["running"] == 0)
    async with running(aws, worker_manager_id=manager_id) as (backend, told):
        assert backend.orphans >= 3  # there may be more than is known
        if claimed:
            assert all(backend.adopt(task.task_id) is not None for task in sent)
            assert [await told.value(task) for task in sent] == [str(tmp_path / str(n)) for n in range(3)]
            await backend.forget([task.task_id for task in sent])
        else:
            await backend.abandon_orphans()
        await eventually(only_lease(aws))
    assert calls(tmp_path) == ["called\n"] * 3


async def test_children_of_a_failed_array_get_their_result_their_reason_or_a_new_run(
    aws: LocalAWS, tmp_path: Path
) -> None:
    aws.fault("oom:1:x1")
    sent = noted(tmp_path, 3, 1.0)
    await leave(aws, "wm-mixed", sent, tmp_path.parent, 0)
    await eventually(lambda: aws.jobs()["running"] == 0)
    written = {key.rpartition("/")[2]: key for key in objects(aws) if "/results/" in key}
    killed = [task for task in sent if task.task_id.hex() not in written]
    delivered, waiting = [task for task in sent if task not in killed]
    aws.client("s3").delete_object(Bucket=BUCKET, Key=written[delivered.task_id.hex()])
    async with running(aws, worker_manager_id="wm-mixed") as (backend, told):
        assert [backend.adopt(task.task_id) is not None for task in (*killed, delivered, waiting)] == [
            False,
            False,
            True,
        ]
        backend.submit(killed[0])
        with pytest.raises(MemoryError, match="OutOfMemoryError"):
            await told.value(killed[0])
        assert await told.value(waiting) == waiting_value(tmp_path, sent, waiting)
        assert told.placements == []
        backend.submit(delivered)
        assert await told.value(delivered) == waiting_value(tmp_path, sent, delivered)


def waiting_value(folder: Path, sent: list[TaskWork], task: TaskWork) -> str:
    return str(folder / str(sent.index(task)))


async def test_tasks_of_a_bundle_whose_submission_is_unknown_run_once_and_hold_up_nobody(
    aws: LocalAWS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "last_act_s", None)  # it was given back long ago
    lost, late, other = (noted_in(tmp_path / name, 2) for name in ("lost", "late", "other"))
    predecessor = Predecessor(aws, "wm-bundles")
    predecessor.leave()
    predecessor.bundle(lost, to_bundle(bytes(16)))
    surfacing = predecessor.bundle(late, to_bundle(bytes(15) + b"1"))
    async with running(aws, worker_manager_id="wm-bundles") as (backend, told):
        for task in (*lost, *late, *other):
            assert backend.adopt(task.task_id) is None
            backend.submit(task)
        for task in other:
            await told.value(task)
        assert {task_id for placed in told.placements for task_id in placed.task_ids} == ids_of(other)
        predecessor.submit(surfacing, late, to_bundle(bytes(15) + b"1"))
        for task in (*lost, *late):
            await told.value(task)
        assert {placed.task_ids for placed in told.placements if placed.submission_id == surfacing} == {
            (task.task_id,) for task in late
        }
        await backend.forget([task.task_id for task in (*lost, *late, *other)])
        await eventually(only_lease(aws))
    assert [calls(tmp_path / name) for name in ("lost", "late", "other")] == [["called\n"] * 2] * 3


def noted_in(folder: Path, count: int) -> list[TaskWork]:
    folder.mkdir()
    return noted(folder, count, 0.2)


def ids_of(tasks: Sequence[TaskWork]) -> set[bytes]:
    return {task.task_id for task in tasks}


async def test_an_inline_job_that_is_listed_only_after_the_takeover_is_attached(aws: LocalAWS, tmp_path: Path) -> None:
    late, new = (
        work(note_and_nap, str(tmp_path / "late"), LISTED_WITHIN_S + 0.5),
        work(note_and_nap, str(tmp_path / "new"), 0.0),
    )
    predecessor = Predecessor(aws, "wm-late-inline")
    predecessor.die()
    async with running(aws, worker_manager_id="wm-late-inline") as (backend, told):
        assert backend.orphans > 0  # the worker has to join: there may be more than is known
        backend.submit(late)
        backend.submit(new)
        job_id = predecessor.submit(new_id(), [late], to_inline_gzip(frame([late], bytes(32))))
        for task in (late, new):
            await told.value(task)
        assert [placed.job_id for placed in told.placements if late.task_id in placed.task_ids] == [job_id]
    assert calls(tmp_path) == ["called\n"] * 2


async def test_an_array_that_only_a_result_told_of_is_attached_when_it_is_listed(aws: LocalAWS, tmp_path: Path) -> None:
    done, running_on = tasks = [work(note_and_nap, str(tmp_path / str(n)), LISTED_WITHIN_S + 1) for n in range(2)]
    predecessor, submission_id = Predecessor(aws, "wm-late-array"), new_id()
    predecessor.die()
    predecessor.result(submission_id, done, "done")
    async with running(aws, worker_manager_id="wm-late-array") as (backend, told):
        assert (backend.adopt(running_on.task_id), backend.adopt(done.task_id) is not None) == (None, True)
        backend.submit(running_on)
        job_id = predecessor.submit(
            submission_id, tasks, to_inline_gzip(frame(tasks, predecessor.secrets.of(submission_id)))
        )
        assert await told.value(done) == "done"
        assert await told.value(running_on) == str(tmp_path / "1")
        assert [(placed.job_id, placed.first_index) for placed in told.placements] == [(job_id, 1)]
    assert calls(tmp_path) == ["called\n"] * 2


@pytest.mark.parametrize("forger", [None, SubmissionSecrets(bytes(32))], ids=["unsigned", "another's secret"])
async def test_a_forged_result_whose_job_is_unknown_is_its_tasks_failure(
    aws: LocalAWS, forger: SubmissionSecrets | None
) -> None:
    forged, honest = works(len, [[], []])
    predecessor, submission_id = Predecessor(aws, "wm-forged-before"), new_id()
    predecessor.die()
    predecessor.result(submission_id, honest, "its own")
    if forger is not None:
        predecessor.secrets = forger
    predecessor.result(submission_id, forged, "forged", is_signed=forger is not None)
    async with running(aws, worker_manager_id="wm-forged-before") as (backend, told):
        assert all(backend.adopt(task.task_id) is not None for task in (forged, honest))
        assert await told.value(honest) == "its own"
        with pytest.raises(RuntimeError, match=r"result can't be used: .* signature"):
            await told.value(forged)
        await backend.forget([forged.task_id, honest.task_id])
        await eventually(only_lease(aws))


async def test_a_cancelled_task_that_waits_for_reconciliation_never_runs(aws: LocalAWS, tmp_path: Path) -> None:
    cancelled, kept = noted(tmp_path, 2, 0.0)
    Predecessor(aws, "wm-cancel-held").die()
    async with running(aws, worker_manager_id="wm-cancel-held") as (backend, told):
        backend.submit(cancelled)
        backend.submit(kept)
        await backend.cancel(cancelled.task_id)
        await told.value(kept)
    assert calls(tmp_path) == ["called\n"]


async def test_once_nothing_of_a_predecessor_is_left_no_task_passes_the_takeover(
    aws: LocalAWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(aws) as (backend, told):
        first, second = work(abs, -1), work(abs, -2)
        backend.submit(first)
        assert await told.value(first) == 1
        monkeypatch.delattr(Reconciler, "admit")
        backend.submit(second)
        assert await told.value(second) == 2


@pytest.mark.long
async def test_a_thousand_failed_jobs_cost_a_takeover_few_calls_and_each_tells_its_reason(aws: LocalAWS) -> None:
    tasks = works(len, [[]] * 1_100)
    predecessor = Predecessor(aws, "wm-crowd")
    text = to_inline_gzip(frame(tasks[:1], bytes(32)))
    aws.fault("start-failure:1")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda task: predecessor.submit(new_id(), [task], text), tasks))
    await eventually(lambda: not any(aws.jobs()["by_state"].get(state) for state in LIVING))
    aws.clear_faults()
    aws.reset_calls()
    async with running(aws, worker_manager_id="wm-crowd") as (backend, told):
        assert (backend.orphans, manager_calls(aws)["batch.ListJobs"]) == (0, 6)
        for task in tasks[:50]:
            backend.submit(task)
        for task in tasks[:50]:
            with pytest.raises(RuntimeError, match="CannotPullContainerError"):
                await told.value(task)
        assert (told.placements, manager_calls(aws)["batch.ListJobs"]) == ([], 8)
        assert manager_calls(aws)["batch.DescribeJobs"] <= 2


async def test_what_no_job_needs_is_deleted_though_nothing_can_be_claimed(aws: LocalAWS) -> None:
    predecessor = Predecessor(aws, "wm-leftovers")
    layout, young = predecessor.layout, new_id()
    old = new_submission_id(time.time() - 7_200, lambda _: 1)
    stranger = layout.root.replace("wm-leftovers", "wm-leftovers-2") + "/objects/theirs"
    for key in (layout.blob(uuid.uuid4().hex), layout.payload(new_id()), f"{layout.results}strange", layout.fence(old)):
        predecessor.put(key, b"left")
    predecessor.put(layout.fence(young))
    predecessor.put(stranger)
    async with running(aws, worker_manager_id="wm-leftovers") as (backend, _):
        assert backend.orphans <= 1
        await eventually(lambda: sorted(objects(aws)) == sorted([layout.lease, layout.fence(young), stranger]))
        await backend.abandon_orphans()
