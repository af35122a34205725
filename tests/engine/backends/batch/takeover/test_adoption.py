"""What an earlier manager of the same id left is found, attached when claimed, and ended when not."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from engine.model import ResourceShape
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import (
    eventually,
    objects,
    tidied,
    work,
    works,
)
from tests.support.engine.batch_harness import running as succeeding
from tests.support.engine.left_jobs import calls, leave, note_and_nap


@pytest.mark.parametrize("tasks", [1, 3], ids=["single", "array"])
async def test_a_running_job_is_attached_and_its_function_not_called_again(
    aws: LocalAWS, tmp_path: Path, tasks: int
) -> None:
    sent = [work(note_and_nap, str(tmp_path / str(n)), 2.0) for n in range(tasks)]
    await leave(aws, "wm-attach", sent, tmp_path, tasks)
    async with succeeding(aws, worker_manager_id="wm-attach") as (backend, told):
        assert backend.orphans >= tasks  # there may be more than is known
        assert all(backend.adopt(task.task_id) is not None for task in sent)
        values = [await told.value(task) for task in sent]
        await backend.forget([task.task_id for task in sent])
        await tidied(aws)
    assert values == [str(tmp_path / str(n)) for n in range(tasks)]
    assert calls(tmp_path) == ["called\n"] * tasks
    assert [key for key in objects(aws) if not key.endswith("/lease")] == []


async def test_an_array_whose_payload_lies_in_s3_is_attached(aws: LocalAWS, tmp_path: Path) -> None:
    padding = os.urandom(40_000)

    def noted(argument: tuple[str, bytes]) -> int:
        Path(argument[0]).touch()
        time.sleep(1.5)
        return len(argument[1])

    sent = works(noted, [(str(tmp_path / str(n)), padding) for n in range(3)])
    await leave(aws, "wm-bundle", sent, tmp_path, 3)
    async with succeeding(aws, worker_manager_id="wm-bundle") as (backend, told):
        assert all(backend.adopt(task.task_id) is not None for task in sent)
        assert [await told.value(task) for task in sent] == [40_000] * 3
        await backend.forget([task.task_id for task in sent])
        await tidied(aws)
    assert [key for key in objects(aws) if not key.endswith("/lease")] == []


async def test_a_result_that_was_written_while_nobody_looked_is_delivered(aws: LocalAWS, tmp_path: Path) -> None:
    task = work(note_and_nap, str(tmp_path / "call"), 0.3)
    await leave(aws, "wm-late", [task], tmp_path, 1)
    await eventually(lambda: aws.jobs()["running"] == 0)
    async with succeeding(aws, worker_manager_id="wm-late") as (backend, told):
        assert backend.adopt(task.task_id) is not None
        assert await told.value(task) == str(tmp_path / "call")


def note_and_starve(path: str) -> int:
    with open(path, "a") as calls:
        calls.write("called\n")
    time.sleep(0.5)
    limit = int(Path(os.environ["SCALER_BATCH_CGROUP"], "memory.max").read_text())
    if limit < 512 << 20:
        kept = bytearray(limit)
        time.sleep(60 + len(kept[:0]))
    return limit >> 20


@pytest.mark.parametrize("tasks", [1, 3], ids=["a single job", "an array"])
async def test_a_kill_for_memory_while_nobody_looked_is_tried_again_with_more(
    aws: LocalAWS, tmp_path: Path, tasks: int
) -> None:
    shape = ResourceShape(memory_mib=256, memory_retries=1)
    sent = [work(note_and_starve, str(tmp_path / str(number)), shape=shape) for number in range(tasks)]
    await leave(aws, f"wm-starved-{tasks}", sent, tmp_path, tasks)
    await eventually(lambda: aws.jobs()["running"] == 0)
    async with succeeding(aws, worker_manager_id=f"wm-starved-{tasks}") as (backend, told):
        assert all(backend.adopt(task.task_id) is not None for task in sent)
        assert [await told.value(task) for task in sent] == [512] * tasks
    assert calls(tmp_path) == ["called\n" * 2] * tasks


async def test_a_job_that_failed_while_nobody_looked_tells_its_reason_and_is_not_run_again(
    aws: LocalAWS, tmp_path: Path
) -> None:
    task = work(note_and_nap, str(tmp_path / "call"), 1.0)
    aws.fault("oom:1")
    await leave(aws, "wm-oom", [task], tmp_path.parent, 1)
    await eventually(lambda: aws.jobs()["running"] == 0)
    async with succeeding(aws, worker_manager_id="wm-oom") as (backend, told):
        backend.submit(task)
        with pytest.raises(MemoryError, match="OutOfMemoryError"):
            await told.value(task)
        assert told.placements == []


async def test_what_nobody_claims_is_terminated_and_its_objects_go(aws: LocalAWS, tmp_path: Path) -> None:
    sent = [work(note_and_nap, str(tmp_path / str(n)), 60.0) for n in range(3)]
    await leave(aws, "wm-abandon", sent, tmp_path, 3)
    async with succeeding(aws, worker_manager_id="wm-abandon") as (backend, told):
        await backend.abandon_orphans()
        assert (aws.jobs()["running"], backend.orphans, told.outcomes) == (0, 0, {})
        assert [key for key in objects(aws) if not key.endswith("/lease")] == []


async def test_one_child_is_claimed_and_its_siblings_are_terminated(aws: LocalAWS, tmp_path: Path) -> None:
    sent = [work(note_and_nap, str(tmp_path / str(n)), 2.0 if n == 1 else 60.0) for n in range(3)]
    await leave(aws, "wm-sibling", sent, tmp_path, 3)
    async with succeeding(aws, worker_manager_id="wm-sibling") as (backend, told):
        assert backend.adopt(sent[1].task_id) is not None
        abandoning = asyncio.create_task(backend.abandon_orphans())
        assert await told.value(sent[1]) == str(tmp_path / "1")
        await backend.forget([sent[1].task_id])
        await asyncio.wait_for(abandoning, 30)
        assert aws.jobs()["running"] == 0


async def test_a_manager_whose_id_starts_alike_finds_nothing(aws: LocalAWS, tmp_path: Path) -> None:
    task = work(note_and_nap, str(tmp_path / "call"), 1.0)
    await leave(aws, "wm-alike-2", [task], tmp_path, 1)
    async with succeeding(aws, worker_manager_id="wm-alike") as (backend, _):
        assert (backend.orphans, backend.adopt(task.task_id)) == (0, None)
    await eventually(lambda: aws.jobs()["running"] == 0)
