"""Credentials that expire in any kind of call: read again and gone on, or paused and resumed; no task fails for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from provisioner.local.aws import LocalAWS
from provisioner.local.faults.faults import ExpiredCredentials
from tests.support.engine.batch_harness import Recorder, eventually, objects, running, tidied, work, works

KINDS = (
    "SubmitJob",
    "TerminateJob",
    "DescribeJobs",
    "ListJobs",
    "ListObjectsV2",
    "GetObject",
    "PutObject",
    "DeleteObjects",
)
NOW = ("SubmitJob", "DescribeJobs", "GetObject", "PutObject")
"""The others take longer."""


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def write_and_nap(path: str) -> None:
    print("the last words", flush=True)
    Path(path).touch()
    time.sleep(60)


@asynccontextmanager
async def everything(aws: LocalAWS, *faults: ExpiredCredentials) -> AsyncIterator[Recorder]:
    """Tasks whose ways need each kind of call, the fault there from the moment that one of them runs already."""
    async with running(aws, inline_limit=0) as (backend, told):
        cancelled = work(nap, 60)
        backend.submit(cancelled)
        await eventually(lambda: aws.jobs()["running"] == 1)
        for fault in faults:
            aws.fault(fault)
        aws.fault("ambiguous:SubmitJob:x1")
        tasks = works(nap, [0.0] * 3)
        for task in tasks:
            backend.submit(task)
        cancel = asyncio.create_task(backend.cancel(cancelled.task_id))
        yield told
        assert [await told.value(task, 60) for task in tasks] == [0.0] * 3
        await backend.forget([task.task_id for task in tasks])
        await cancel
        await tidied(aws)
        assert cancelled.task_id not in told.outcomes
        assert told.twice == []
    assert objects(aws) == []


async def test_that_can_be_read_again_nobody_notices(aws: LocalAWS) -> None:
    async with everything(aws, *(ExpiredCredentials(api=kind, count=1) for kind in KINDS)) as told:
        pass
    assert [one["struck"] for one in aws.faults() if one["kind"] == "expired-credentials"] == [1] * len(KINDS)
    assert told.pauses == []


@pytest.mark.parametrize(
    "kind", [kind if kind in NOW else pytest.param(kind, marks=pytest.mark.long) for kind in KINDS]
)
async def test_that_stay_expired_pause_and_resume(aws: LocalAWS, kind: str) -> None:
    async with everything(aws, ExpiredCredentials(api=kind)) as told:
        await told.until(lambda now: bool(now.pauses))
        aws.clear_faults()
    assert "ExpiredToken" in told.pauses[0]
    assert told.resumed == len(told.pauses)


async def test_that_expire_while_nothing_runs_are_told_and_what_comes_waits(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        aws.fault(ExpiredCredentials())
        await told.until(lambda now: bool(now.pauses))
        task = work(nap, 0)
        backend.submit(task)
        aws.clear_faults()
        assert await told.value(task) == 0
    assert (len(told.pauses), told.resumed) == (1, 1)


async def test_expired_credentials_pause_and_fail_nothing(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        aws.fault("expired-credentials")
        tasks = [work(nap, 0), *works(nap, [0.0, 0.0])]
        for task in tasks:
            backend.submit(task)
        await told.until(lambda now: bool(now.pauses))
        aws.clear_faults()
        assert [await told.value(task) for task in tasks] == [0, 0, 0]
        assert "ExpiredToken" in told.pauses[0]
        assert (len(told.pauses), told.resumed) == (1, 1)


async def test_that_do_not_let_the_log_be_read_hide_no_reason(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        task = work(write_and_nap, str(tmp_path / "runs"))
        backend.submit(task)
        await eventually((tmp_path / "runs").exists)
        aws.fault(ExpiredCredentials(api="GetLogEvents"))
        aws.fault("oom:1:x1")
        with pytest.raises(MemoryError, match="the log can't be read: ExpiredTokenException"):
            await told.value(task)
    assert told.pauses == []
