"""What goes wrong on AWS's side: no task is lost, none runs twice, each failure says why."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.aws.batch_states import BatchState
from engine.aws.calls.operations import DESCRIBE_JOBS
from engine.backends.batch.submit.request import JobTemplate
from engine.backends.batch.track.failures.log_tail import LogTail
from engine.model import ResourceShape, TaskWork
from provisioner.local.aws import LocalAWS
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


def count_run(path: str) -> str:
    """Leaves one line a call: what counts how often it really ran."""
    with Path(path).open("a") as file:
        file.write("ran\n")
    return "done"


def count_and_nap(path: str) -> str:
    count_run(path)
    time.sleep(3)
    return "done"


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def runs(folder: Path) -> list[int]:
    return [len(path.read_text().splitlines()) for path in sorted(folder.iterdir())]


def cause_of(told: Recorder, task: TaskWork) -> str:
    cause = told.outcomes[task.task_id].cause
    return cause.describe() if cause else ""


def say(text: str) -> None:
    print(text, flush=True)


def talk() -> None:
    print("before the end", flush=True)
    time.sleep(60)


@pytest.mark.parametrize("fault", ["ambiguous:SubmitJob:x1", "ambiguous:SubmitJob:500:x1", "error:SubmitJob:503:x1"])
@pytest.mark.parametrize("count", [1, 3])
async def test_a_submission_of_unknown_fate_runs_once(aws: LocalAWS, tmp_path: Path, fault: str, count: int) -> None:
    async with running(aws) as (backend, told):
        aws.fault(fault)
        tasks = [work(count_run, str(tmp_path / str(number))) for number in range(count)]
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == ["done"] * count
        assert runs(tmp_path) == [1] * count
        assert told.twice == []


@pytest.mark.long
async def test_throttled_submits_and_looks_fail_no_task(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        for api in ("SubmitJob:1", "DescribeJobs:1", "ListObjectsV2:2", "GetObject:5"):
            aws.fault(f"throttle:{api}/s")
        tasks = [work(nap, 0, shape=ResourceShape(memory_mib=512 + number)) for number in range(6)]
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task, 60) for task in tasks] == [0] * 6


async def test_what_comes_while_submits_are_throttled_travels_in_one(aws: LocalAWS) -> None:
    aws.fault("throttle:SubmitJob:0/s")
    async with running(aws) as (backend, told):
        tasks = [work(nap, 0) for _ in range(6)]
        for tried, task in enumerate(tasks, 1):
            backend.submit(task)
            await eventually(lambda tried=tried: manager_calls(aws).get("batch.SubmitJob", 0) >= tried)  # type: ignore[misc]
        aws.clear_faults()
        assert [await told.value(task, 60) for task in tasks] == [0] * 6
        assert [len(one.task_ids) for one in told.placements] == [1, 5]


@pytest.mark.long
async def test_an_outage_of_s3_longer_than_the_lease_is_waited_through(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        before = work(nap, 1)
        backend.submit(before)
        await told.until(lambda now: bool(now.placements))
        aws.reset_calls()
        aws.fault("error:s3:503:12s")
        after = work(nap, 0)
        backend.submit(after)
        assert [await told.value(before, 60), await told.value(after, 60)] == [1, 0]
        assert told.lost == []
        assert sum(manager_calls(aws).values()) < 150


async def test_a_job_that_can_not_start_fails_with_its_reason(aws: LocalAWS) -> None:
    aws.fault("start-failure:1")
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        with pytest.raises(RuntimeError, match="CannotPullContainerError") as caught:
            await told.value(task)
        assert "job id: " in str(caught.value)


async def test_children_that_can_not_start_fail_one_by_one(aws: LocalAWS) -> None:
    aws.fault("start-failure:1")
    async with running(aws) as (backend, told):
        tasks = works(nap, [0.0] * 5)
        for task in tasks:
            backend.submit(task)
        for task in tasks:
            with pytest.raises(RuntimeError, match="CannotPullContainerError"):
                await told.value(task)


async def test_a_container_killed_for_its_memory_is_a_memory_error(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        aws.fault("oom:1")
        task = work(talk, shape=ResourceShape(memory_mib=2048))
        backend.submit(task)
        with pytest.raises(MemoryError, match="exit code: 137"):
            await told.value(task, 60)
        assert cause_of(told, task) == "out of memory: 2,048 MiB"


async def test_hosts_lost_in_each_attempt_are_told_with_the_attempt(aws: LocalAWS) -> None:
    aws.fault("spot:1")
    async with running(aws) as (backend, told):
        task = work(talk)
        backend.submit(task)
        with pytest.raises(RuntimeError, match="4 jobs of the task lost their host, each in every attempt"):
            await told.value(task, 60)
        assert cause_of(told, task) == "Spot reclaim, attempt 3 of 3"
        assert told.outcomes[task.task_id].attempt == 3


async def test_a_child_that_succeeds_after_a_reclaim_tells_its_attempt(aws: LocalAWS) -> None:
    aws.fault("spot:1:x1")
    async with running(aws) as (backend, told):
        tasks = works(nap, [1.0] * 3)
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [1.0] * 3
        assert sorted(told.outcomes[task.task_id].attempt for task in tasks) == [1, 1, 2]


@pytest.mark.long
async def test_an_array_with_killed_children_and_lost_results_gives_every_task_an_outcome(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        aws.fault("drop-result:1:x2")
        aws.fault("oom:1:x2")
        tasks = works(nap, [1.0] * 8)
        for task in tasks:
            backend.submit(task)
        await told.until(lambda now: len(now.outcomes) == 8, 60)
        assert sum(outcome.succeeded for outcome in told.outcomes.values()) == 4


async def test_a_host_lost_once_is_tried_again(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("spot:1:x1")
    async with running(aws) as (backend, told):
        task = work(nap, 0.5)
        backend.submit(task)
        assert await told.value(task) == 0.5


@pytest.mark.long
async def test_a_job_past_its_time_is_a_timeout_error(aws: LocalAWS) -> None:
    async with running(aws, job_timeout_minutes=1) as (backend, told):
        task = work(talk)
        backend.submit(task)
        with pytest.raises(Exception, match=r"(?i)time.?out|SIGTERM|terminated"):
            await told.value(task, 60)
        assert cause_of(told, task) == "timed out after 60 s"


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
async def test_a_job_that_vanished_before_it_ran_runs_once(aws: LocalAWS, tmp_path: Path, count: int) -> None:
    aws.fault("vanish:1:x1")
    async with running(aws) as (backend, told):
        tasks = works(count_run, [str(tmp_path / str(number)) for number in range(count)])
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task, 60) for task in tasks] == ["done"] * count
        assert runs(tmp_path) == [1] * count
        assert told.twice == []


@pytest.mark.long
async def test_a_job_that_vanished_without_its_result_is_an_error_and_runs_once(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        task = work(count_and_nap, str(tmp_path / "0"))
        backend.submit(task)
        await told.until(lambda now: BatchState.RUNNING in now.states.get(task.task_id, ()))
        aws.fault("vanish-finished:1")
        aws.fault("drop-result:1")
        with pytest.raises(RuntimeError, match="no longer knows the task's job"):
            await told.value(task, 60)
        assert runs(tmp_path) == [1]


@pytest.mark.long
async def test_a_job_that_vanished_when_it_ended_still_counts(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("vanish-finished:1")
    async with running(aws) as (backend, told):
        task = work(count_run, str(tmp_path / "0"))
        backend.submit(task)
        assert await told.value(task) == "done"
        await backend.forget([task.task_id])
        await eventually(lambda: len(objects(aws)) == 1, 40)
        assert runs(tmp_path) == [1]


@pytest.mark.long
async def test_overrides_that_are_too_long_for_the_queue_go_again_through_s3(aws: LocalAWS) -> None:
    import random

    def size(data: bytes) -> int:
        return len(data)

    # A limit given by hand switches our own counting off, and AWS's own answer is what remains.
    async with running(aws, inline_limit=28_000) as (backend, told):
        tasks = [work(size, random.Random(number).randbytes(12_000)) for number in range(2)]
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task, 60) for task in tasks] == [12_000] * 2
        assert [one.route.value for one in told.placements][-1] == "s3"


async def test_many_failures_do_not_hold_up_a_result(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        aws.fault("start-failure:1:x60")
        aws.fault("throttle:GetLogEvents:0/s")
        doomed = works(nap, [0.0] * 20)
        for task in doomed:
            backend.submit(task)
        for task in doomed:
            with pytest.raises(RuntimeError):
                await told.value(task, 60)
        fine = work(nap, 0)
        backend.submit(fine)
        assert await told.value(fine, 10) == 0


async def test_the_log_tail_is_read_from_the_jobs_own_stream(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(say, "the last words")
        backend.submit(task)
        await told.value(task)
        job_id = told.placements[0].job_id
        job = (await backend._client.call(DESCRIBE_JOBS, jobs=[job_id]))["jobs"][0]
        tail = await LogTail(client=backend._client).read("/aws/batch/job", job["container"]["logStreamName"])
        assert "the last words" in tail
        assert "can't be read" in await LogTail(client=backend._client).read("/no/such/group", "stream")


async def test_a_task_that_comes_again_after_its_cancel_gets_its_own_result(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        first = work(nap, 60)
        backend.submit(first)
        await told.until(lambda now: bool(now.placements))
        cancel = asyncio.create_task(backend.cancel(first.task_id))
        await asyncio.sleep(0)
        again = replace(work(nap, 0.5), task_id=first.task_id)
        backend.submit(again)
        assert await told.value(again) == 0.5
        await cancel
        await backend.forget([again.task_id])
        await tidied(aws)
    assert objects(aws) == []


async def test_a_submission_that_can_not_be_made_fails_its_tasks_and_ends_nothing(
    aws: LocalAWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(aws) as (backend, told):
        with monkeypatch.context() as patch:
            patch.delattr(JobTemplate, "arguments")
            odd = work(nap, 0)
            backend.submit(odd)
            with pytest.raises(RuntimeError, match="AttributeError"):
                await told.value(odd)
        fine = work(nap, 0)
        backend.submit(fine)
        assert await told.value(fine) == 0
        assert told.lost == []
