"""Cancels in every state: no outcome comes, the job has ended, nothing stays in S3."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from engine.aws.batch_states import BatchState
from engine.model import ResourceShape
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import eventually, manager_calls, objects, running, tidied, work, works


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def leave_mark(path: str) -> None:
    Path(path).touch()


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


async def test_queued_behind_a_full_queue(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        blocker = work(nap, 60, shape=ResourceShape(vcpus=2000))
        backend.submit(blocker)
        await told.until(lambda now: BatchState.RUNNING in now.states.get(blocker.task_id, ()))
        queued = work(leave_mark, str(tmp_path / "ran"))
        backend.submit(queued)
        await told.until(lambda now: BatchState.RUNNABLE in now.states.get(queued.task_id, ()))
        await backend.cancel(queued.task_id)
        await backend.cancel(blocker.task_id)
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
