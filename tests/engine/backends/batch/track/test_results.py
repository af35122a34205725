"""Results that are late, damaged, out of reach or written twice: the right value or a clear error, in bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import cloudpickle
import pytest

from container.batch_job_frames import ResultMeta, ResultStatus, decode_result, encode_result
from engine.backends.batch.names import StoreLayout
from engine.model import TaskWork
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import (
    BUCKET,
    config,
    eventually,
    manager_calls,
    objects,
    running,
    work,
    works,
)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def count_run(path: str) -> str:
    """Leaves one line a call: what counts how often it really ran."""
    with Path(path).open("a") as file:
        file.write("ran\n")
    return "done"


def runs(folder: Path) -> list[int]:
    return [len(path.read_text().splitlines()) for path in sorted(folder.iterdir())]


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
async def test_a_result_that_never_appears_is_an_error_in_bounded_time(aws: LocalAWS, count: int) -> None:
    aws.fault(f"drop-result:1:x{count}")
    async with running(aws) as (backend, told):
        tasks = works(nap, [0.0] * count)
        for task in tasks:
            backend.submit(task)
        for task in tasks:
            with pytest.raises(RuntimeError, match="no result appeared in S3"):
                await told.value(task, 40)


@pytest.mark.parametrize("fault", ["truncate-result:1", "corrupt-result:1"])
async def test_a_damaged_result_is_an_error_and_never_a_wrong_value(aws: LocalAWS, fault: str) -> None:
    aws.fault(fault)
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        with pytest.raises(RuntimeError, match="result can't be used"):
            await told.value(task)


async def test_a_late_result_counts(aws: LocalAWS) -> None:
    aws.fault("late-result:1:3s")
    async with running(aws) as (backend, told):
        tasks = works(nap, [0.0] * 3)
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [0.0] * 3


async def test_a_result_that_may_not_be_read_for_a_moment_counts(aws: LocalAWS) -> None:
    aws.fault("error:GetObject:403:x2:match=*/results/*")
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        assert await told.value(task) == 0


async def test_a_result_that_may_never_be_read_is_an_error_in_bounded_time(aws: LocalAWS) -> None:
    aws.fault("error:GetObject:403:match=*/results/*")
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        with pytest.raises(RuntimeError, match=r"result can't be used: .*AccessDenied"):
            await told.value(task)
        assert manager_calls(aws)["s3.GetObject"] < 10


async def test_jobs_that_are_told_403_instead_of_404_run_once(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("error:GetObject:403:match=*/fence/*")
    async with running(aws) as (backend, told):
        tasks = works(count_run, [str(tmp_path / str(number)) for number in range(3)])
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == ["done"] * 3
        assert runs(tmp_path) == [1] * 3


async def test_an_attempt_after_the_result_was_written_calls_nothing(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("ambiguous:PutObject:match=*/results/*")  # written, but the runner does not learn it and goes on trying
    before = aws.jobs()["attempts"]
    async with running(aws) as (backend, told):
        task = work(count_run, str(tmp_path / "calls"))
        backend.submit(task)
        assert await told.value(task) == "done"
        await backend.forget([task.task_id])
        aws.fault("spot:1:x1")
        await eventually(lambda: len(objects(aws)) == 1)
        assert aws.jobs()["attempts"] == before + 2
        assert runs(tmp_path) == [1]
        assert told.twice == []


async def test_of_two_attempts_that_write_different_results_one_counts_and_nothing_stays(aws: LocalAWS) -> None:
    aws.fault("late-result:1:3s:x1")
    async with running(aws, worker_manager_id="wm-attempts") as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        await eventually(lambda: aws.faults()[0]["struck"] == 1)  # one attempt has written; the other does it now
        key = StoreLayout(BUCKET, config().s3_prefix, "wm-attempts").result(
            told.placements[0].submission_id, task.task_id
        )
        write_as_another_attempt(aws, key, task)
        assert await told.value(task) == "the other attempt's"
        await eventually(lambda: value_in(aws, key, task) == 0.0)
        await backend.forget([task.task_id])
        await eventually(lambda: len(objects(aws)) == 1)
        assert told.twice == []


def write_as_another_attempt(aws: LocalAWS, key: str, task: TaskWork) -> None:
    """What an attempt does that the loss of its host did not really end."""
    meta = ResultMeta(
        task.task_id.hex(), ResultStatus.SUCCESS, "returning", 2, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test"
    )
    frame = encode_result(meta, cloudpickle.dumps("the other attempt's"))
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=frame)


def value_in(aws: LocalAWS, key: str, task: TaskWork) -> object:
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return cloudpickle.loads(decode_result(body, task.task_id)[1])
