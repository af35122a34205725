"""Cancels in every state: no outcome comes, the job has ended, nothing stays in S3."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path

import pytest

from engine.aws.batch_states import BatchState
from engine.backends.batch.backend import BatchBackend
from engine.backends.protocol import CancelRefused
from engine.model import CancelReason, ResourceShape, TaskWork
from provisioner.local.aws import LocalAWS
from provisioner.local.faults.faults import ExpiredCredentials
from tests.support.engine.batch_harness import (
    Recorder,
    eventually,
    manager_calls,
    objects,
    running,
    tidied,
    work,
    works,
)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def leave_mark(path: str) -> None:
    Path(path).touch()


def leave_padded_mark(argument: tuple[str, bytes]) -> None:
    Path(argument[0]).touch()


async def fill_queue(backend: BatchBackend, told: Recorder) -> list[TaskWork]:
    """All vCPUs of the queue are taken: 16 jobs, each of a size that instances have."""
    blockers = [work(nap, 60, shape=ResourceShape(vcpus=125)) for _ in range(16)]
    for blocker in blockers:
        backend.submit(blocker)
    for blocker in blockers:
        await told.until(partial(ran, blocker.task_id))
    return blockers


def ran(task_id: bytes, now: Recorder) -> bool:
    return BatchState.RUNNING in now.states.get(task_id, ())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_in_the_collection_window_nothing_is_ever_sent(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        await backend.cancel(task.task_id)
        other = work(nap, 0)
        backend.submit(other)
        await told.value(other)
        assert task.task_id not in told.outcomes
        assert [one.task_ids for one in told.placements] == [(other.task_id,)]


async def test_one_that_meets_an_outcome_which_nobody_takes_any_more_leaves_nothing(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        await told.value(task)
        await backend.cancel(task.task_id)
        await tidied(aws)


async def test_while_its_submission_is_under_way(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("throttle:SubmitJob:0/s")
    async with running(aws) as (backend, told):
        task = work(leave_mark, str(tmp_path / "ran"))
        backend.submit(task)
        await eventually(lambda: "batch.SubmitJob" in manager_calls(aws))
        await backend.cancel(task.task_id)
        aws.clear_faults()
        other = work(nap, 0)
        backend.submit(other)
        await told.value(other)
        await backend.forget([other.task_id])
        await tidied(aws)
        assert set(told.outcomes) == {other.task_id}
        assert [one.task_ids for one in told.placements] == [(other.task_id,)]
    assert objects(aws) == []


async def test_a_part_of_an_array_whose_submission_is_throttled_is_never_called(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("throttle:SubmitJob:0/s")
    async with running(aws) as (backend, told):
        tasks = works(leave_mark, [str(tmp_path / str(number)) for number in range(6)])
        for task in tasks:
            backend.submit(task)
        await eventually(lambda: "batch.SubmitJob" in manager_calls(aws))
        async with asyncio.timeout(5):
            await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks[:4]))
        assert "batch.TerminateJob" not in manager_calls(aws)
        aws.clear_faults()
        for task in tasks[4:]:
            await told.value(task)
        assert [one.task_ids for one in told.placements] == [(tasks[4].task_id, tasks[5].task_id)]
        await backend.forget([task.task_id for task in tasks[4:]])
        await tidied(aws)
    assert names(tmp_path) == ["4", "5"]


async def test_of_an_array_whose_submission_waits_only_one_task_is_left(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("throttle:SubmitJob:0/s")
    async with running(aws) as (backend, told):
        padding = os.urandom(300_000)
        tasks = works(leave_padded_mark, [(str(tmp_path / str(number)), padding) for number in range(3)])
        for task in tasks:
            backend.submit(task)
        await eventually(lambda: "batch.SubmitJob" in manager_calls(aws))
        async with asyncio.timeout(5):
            await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks[:2]))
        aws.clear_faults()
        await told.value(tasks[2])
        await backend.forget([tasks[2].task_id])
        await tidied(aws)
        assert [one.task_ids for one in told.placements] == [(tasks[2].task_id,)]
    assert names(tmp_path) == ["2"]
    assert objects(aws) == []


async def test_while_credentials_are_refused_what_was_not_sent_is_confirmed_at_once(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        aws.fault(ExpiredCredentials(api="SubmitJob"))
        tasks = works(nap, [0.0] * 2)
        for task in tasks:
            backend.submit(task)
        await told.until(lambda now: bool(now.pauses))
        async with asyncio.timeout(5):
            await backend.cancel(tasks[0].task_id)
        aws.clear_faults()
        assert await told.value(tasks[1]) == 0.0
        assert set(told.outcomes) == {tasks[1].task_id}


async def test_queued_behind_a_full_queue(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        blockers = await fill_queue(backend, told)
        queued = work(leave_mark, str(tmp_path / "ran"))
        backend.submit(queued)
        await told.until(lambda now: BatchState.RUNNABLE in now.states.get(queued.task_id, ()))
        await backend.cancel(queued.task_id)
        await asyncio.gather(*(backend.cancel(blocker.task_id) for blocker in blockers))
        assert told.outcomes == {}
        assert aws.jobs()["running"] == 0
    assert not (tmp_path / "ran").exists()
    assert objects(aws) == []


async def test_running(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(nap, 60)
        backend.submit(task)
        await told.until(lambda now: BatchState.RUNNING in now.states.get(task.task_id, ()))
        await backend.cancel(task.task_id)
        assert aws.jobs()["running"] == 0
        assert told.outcomes == {}
    assert objects(aws) == []


@pytest.mark.parametrize("reason", [CancelReason.CLIENT, CancelReason.OPERATOR])
async def test_aws_keeps_who_ended_a_job(aws: LocalAWS, reason: CancelReason) -> None:
    async with running(aws) as (backend, told):
        task = work(nap, 60)
        backend.submit(task)
        await told.until(lambda now: BatchState.RUNNING in now.states.get(task.task_id, ()))
        await asyncio.gather(backend.cancel(task.task_id, reason), backend.cancel(task.task_id, CancelReason.SHUTDOWN))
        [job] = aws.client("batch").describe_jobs(jobs=[told.placements[0].job_id])["jobs"]
        assert job["statusReason"] == reason


async def test_some_children_of_an_array_leave_the_others_alone(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(nap, [60.0, 2.0, 60.0, 2.0])
        for task in tasks:
            backend.submit(task)
        await eventually(lambda: aws.jobs()["running"] == 4)
        await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks[::2]))
        assert [await told.value(task) for task in tasks[1::2]] == [2.0, 2.0]
        assert set(told.outcomes) == {task.task_id for task in tasks[1::2]}
        await backend.forget([task.task_id for task in tasks[1::2]])
        await eventually(lambda: len(objects(aws)) == 1)


async def test_all_children_of_an_array_cost_one_call(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(nap, [60.0] * 10)
        for task in tasks:
            backend.submit(task)
        await eventually(lambda: aws.jobs()["running"] == 10)
        await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks))
        assert manager_calls(aws)["batch.TerminateJob"] == 1
        assert aws.jobs()["running"] == 0
        assert told.outcomes == {}
    assert objects(aws) == []


async def test_most_children_of_an_array_share_calls(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        await fill_queue(backend, told)
        tasks = works(nap, [0.0] * 121)
        for task in tasks:
            backend.submit(task)
        await told.until(lambda now: len(now.placements) == 2)
        await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks[:120]))
        calls = manager_calls(aws)
        assert (calls["batch.TerminateJobs"], calls.get("batch.TerminateJob", 0)) == (3, 0)
        assert calls["s3.DeleteObjects"] <= 5
        assert told.outcomes == {}


@pytest.mark.long
async def test_five_thousand_children_end_in_a_hundred_calls(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        blockers = await fill_queue(backend, told)
        tasks = works(nap, [0.0] * 5_001)
        for task in tasks:
            backend.submit(task)
        await told.until(lambda now: sum(len(one.task_ids) for one in now.placements) == 5_001 + len(blockers))
        await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks[:5_000]))
        calls = manager_calls(aws)
        assert calls["batch.TerminateJobs"] <= 101 + len(told.placements)
        assert calls["s3.DeleteObjects"] <= 50
        assert not {task.task_id for task in tasks[:5_000]} & set(told.outcomes)


async def test_of_a_task_that_just_finished_gives_its_outcome_or_none(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(nap, [0.0] * 10)
        for task in tasks:
            backend.submit(task)
        await told.until(lambda now: bool(now.outcomes))
        await asyncio.gather(*(backend.cancel(task.task_id) for task in tasks))
        known = set(told.outcomes)
        await backend.forget(list(known))
        await eventually(lambda: len(objects(aws)) == 1)
        assert set(told.outcomes) == known


async def test_twice_and_of_an_unknown_task_are_harmless(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(nap, 60)
        backend.submit(task)
        await told.until(lambda now: bool(now.placements))
        await asyncio.gather(backend.cancel(task.task_id), backend.cancel(task.task_id))
        await backend.cancel(task.task_id)
        await backend.cancel(bytes(16))
        assert told.outcomes == {}


async def test_stopping_with_terminate_ends_every_job(aws: LocalAWS) -> None:
    async with running(aws) as (backend, _):
        for task in [*works(nap, [60.0] * 3), work(nap, 60.0, shape=ResourceShape(vcpus=2))]:
            backend.submit(task)
        await eventually(lambda: aws.jobs()["running"] == 4)
    assert aws.jobs()["running"] == 0
    assert objects(aws) == []


@pytest.mark.parametrize("count", [1, 3])
async def test_that_aws_refuses_is_never_confirmed_and_the_task_goes_on(
    aws: LocalAWS, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.aws.client.FIRST_REFUSAL_PATIENCE_S", 0.2)
    async with running(aws) as (backend, told):
        aws.fault("error:TerminateJob:403")
        tasks = works(nap, [3.0] * count)
        for task in tasks:
            backend.submit(task)
        await eventually(lambda: aws.jobs()["running"] == count)
        cancels = [backend.cancel(tasks[0].task_id) for _ in range(2)]
        assert [type(one) for one in await asyncio.gather(*cancels, return_exceptions=True)] == [CancelRefused] * 2
        assert [await told.value(task) for task in tasks] == [3.0] * count
        aws.clear_faults()
