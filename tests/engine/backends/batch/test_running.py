"""Tasks through the whole backend on the local AWS: values, failures, economy, and nothing left behind."""

from __future__ import annotations

import os
import random

import pytest

from engine.aws.batch_states import BatchState
from engine.model import ResourceShape, Route
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import (
    eventually,
    manager_calls,
    objects,
    running,
    tidied,
    work,
    works,
)

MIB = 1024 * 1024


def square(number: int) -> int:
    return number**2


def echo(value: object) -> object:
    return value


def size_of(value: bytes) -> int:
    return len(value)


def size_of_first(value: bytes, _: int) -> int:
    return len(value)


class CustomError(Exception):
    pass


def fail(text: str) -> None:
    raise CustomError(text, 7)


async def test_a_lone_task_travels_inline_as_a_single_job(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(square, 7)
        backend.submit(task)
        assert await told.value(task) == 49
        assert [(one.route, one.task_ids) for one in told.placements] == [(Route.INLINE, (task.task_id,))]
        assert told.outcomes[task.task_id].profile.peak_bytes > MIB


async def test_tasks_that_come_together_are_one_array_job(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(square, list(range(30)))
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [number**2 for number in range(30)]
        assert len(told.placements) == 1
        assert manager_calls(aws)["batch.SubmitJob"] == 1
        assert told.twice == []


async def test_tasks_of_another_shape_are_another_submission(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        small, large = work(square, 1), work(square, 2, shape=ResourceShape(vcpus=2, memory_mib=512))
        backend.submit(small)
        backend.submit(large)
        assert [await told.value(small), await told.value(large)] == [1, 4]
        assert len(told.placements) == 2


async def test_an_exception_comes_back_as_itself(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(fail, "on purpose")
        backend.submit(task)
        with pytest.raises(CustomError) as caught:
            await told.value(task)
        assert caught.value.args == ("on purpose", 7)


async def test_a_large_argument_and_a_large_result_pass(aws: LocalAWS) -> None:
    data = os.urandom(5 * MIB)
    async with running(aws) as (backend, told):
        task = work(echo, data)
        backend.submit(task)
        assert await told.value(task) == data
        assert told.placements[0].route is Route.S3


async def test_a_blob_that_tasks_share_is_uploaded_once_over_several_submissions(aws: LocalAWS) -> None:
    shared = os.urandom(5 * MIB)
    async with running(aws) as (backend, told):
        for _ in range(3):
            tasks = [work(size_of_first, shared, number) for number in range(10)]
            for task in tasks:
                backend.submit(task)
            assert [await told.value(task) for task in tasks] == [5 * MIB] * 10
        assert aws.calls()["bytes_in"]["scaler-batch-manager"] < 6 * MIB


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("compressible", [True, False])
async def test_payloads_of_every_size_take_the_route_of_the_table(
    aws: LocalAWS, count: int, compressible: bool
) -> None:
    async with running(aws) as (backend, told):
        for size in (0, 1, 1_000, 3_000, 7_000, 16_000, 28_000, 65_536):
            data = bytes(size) if compressible else random.Random(size).randbytes(size)
            tasks = [work(size_of, data) for _ in range(count)]
            for task in tasks:
                backend.submit(task)
            assert [await told.value(task) for task in tasks] == [size] * count
            _check_route(told.placements[-1].route, told.placements[-1].raw_bytes, compressible)


def _check_route(route: Route, raw: int, compressible: bool) -> None:
    if raw <= 4096:
        assert route is Route.INLINE
    elif compressible:
        assert route is Route.GZIP
    elif raw > 8192:
        assert route is Route.S3
    else:
        assert route in (Route.GZIP, Route.S3)


async def test_inline_limit_zero_sends_everything_through_s3(aws: LocalAWS) -> None:
    async with running(aws, inline_limit=0) as (backend, told):
        task = work(square, 3)
        backend.submit(task)
        assert await told.value(task) == 9
        assert told.placements[0].route is Route.S3


async def test_nothing_of_forgotten_tasks_stays_in_s3(aws: LocalAWS) -> None:
    async with running(aws, inline_limit=0) as (backend, told):
        tasks = [*works(square, [1, 2, 3]), work(size_of, bytes(MIB))]
        for task in tasks:
            backend.submit(task)
        for task in tasks:
            await told.value(task)
        await backend.forget([task.task_id for task in tasks])
        await tidied(aws)
    assert objects(aws) == []


async def test_an_idle_backend_only_renews_its_lease(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(square, 3)
        backend.submit(task)
        await told.value(task)
        await backend.forget([task.task_id])
        await eventually(lambda: len(objects(aws)) == 1)
        await eventually(lambda: "s3.GetBucketLifecycleConfiguration" in manager_calls(aws))  # once, some time at first
        aws.reset_calls()
        await eventually(lambda: "s3.PutObject" in manager_calls(aws))
        assert set(manager_calls(aws)) == {"s3.PutObject"}


async def test_states_are_told_as_batch_passes_them(aws: LocalAWS) -> None:
    def nap() -> None:
        import time

        time.sleep(1.5)

    async with running(aws) as (backend, told):
        task = work(nap)
        backend.submit(task)
        await told.until(lambda now: BatchState.RUNNING in now.states.get(task.task_id, ()))
        await told.value(task)


@pytest.mark.long
async def test_a_thousand_tasks_cost_few_calls(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(square, list(range(1000)))
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task, 120) for task in tasks] == [number**2 for number in range(1000)]
        calls = manager_calls(aws)
        assert sum(count for name, count in calls.items() if name.startswith("batch.")) <= 100
        assert sum(calls.values()) <= 1_200
        assert len(told.placements) <= 20
