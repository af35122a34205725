"""What AWS refuses for a moment, and answers that are none, fail no task and end no engine: work waits and says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from container.batch_job_wire.protocol import COMMAND
from engine.aws.session import AwsSession
from engine.model import LinkId
from engine.telemetry.schema.light import LightState, light_of
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import (
    QUEUE,
    environment,
    eventually,
    manager_calls,
    register,
    running,
    work,
    works,
)


def square(value: int) -> int:
    return value * value


def outlast(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.parametrize(
    "fault",
    [
        "error:SubmitJob:403:x1",
        "error:DescribeJobs:403:x1",
        "error:ListObjectsV2:403:x1",
        "error:DescribeJobs:400:x1",
        pytest.param("error:ListObjectsV2:404:x1", marks=pytest.mark.long),
        pytest.param("error:PutObject:400:match=*lease:x1", marks=pytest.mark.long),
        "error:PutObject:403:match=*payloads*:x1",
        "error:PutObject:403:match=*lease:x1",
        "error:GetObject:403:x1",
    ],
)
async def test_one_refusal_of_what_worked_is_survived(aws: LocalAWS, fault: str) -> None:
    async with running(aws, inline_limit=0) as (backend, told):
        first = work(square, 2)
        backend.submit(first)
        assert await told.value(first) == 4
        aws.fault(fault)
        tasks = works(square, [3, 4])
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [9, 16]
        await eventually(lambda: all(one["struck"] for one in aws.faults()))
        await told.until(lambda now: now.resumed == len(now.pauses))
        assert told.lost == []


async def test_one_refusal_of_a_look_at_an_arrays_children_is_survived(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        first = work(square, 2)
        backend.submit(first)
        assert await told.value(first) == 4
        await eventually(lambda: aws.jobs()["running"] == 0)  # or the fault would strike it, behind its result
        aws.fault("oom:1:x2")
        aws.fault("error:ListJobs:400:x1")
        tasks = works(outlast, [60.0] * 2)  # whoever is to be killed must not be done before
        for task in tasks:
            backend.submit(task)
        for task in tasks:
            with pytest.raises(MemoryError):
                await told.value(task)
        assert [one["struck"] for one in aws.faults()] == [2, 1]
        assert told.lost == []


@contextmanager
def disabled(aws: LocalAWS) -> Iterator[Any]:
    with environment(aws.environment()):
        batch = boto3.Session().client("batch")
    batch.update_job_queue(jobQueue=QUEUE, state="DISABLED")
    try:
        yield batch
    finally:
        batch.update_job_queue(jobQueue=QUEUE, state="ENABLED")


async def test_a_queue_that_is_disabled_holds_tasks_up_and_says_so(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(square, [1, 2])
        with disabled(aws):
            for task in tasks:
                backend.submit(task)
            await told.until(lambda now: bool(now.pauses))
            assert light_of(backend.introspection.links()).part == LinkId.SUBMITS
        assert "enable it" in told.pauses[0]
        assert [await told.value(task) for task in tasks] == [1, 4]
        assert light_of(backend.introspection.links()).state is LightState.OK
        assert told.resumed == len(told.pauses)


async def test_a_task_that_waits_for_a_disabled_queue_can_be_cancelled(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(square, 1)
        with disabled(aws):
            backend.submit(task)
            await told.until(lambda now: bool(now.pauses))
            await backend.cancel(task.task_id)
        assert task.task_id not in told.outcomes
        submits = manager_calls(aws)["batch.SubmitJob"]
        assert submits >= 1


async def test_a_part_of_an_array_that_waits_for_a_disabled_queue_can_be_cancelled(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        tasks = works(square, [1, 2])
        with disabled(aws):
            for task in tasks:
                backend.submit(task)
            await told.until(lambda now: bool(now.pauses))
            async with asyncio.timeout(10):
                await backend.cancel(tasks[0].task_id)
        assert await told.value(tasks[1]) == 4
        assert tasks[0].task_id not in told.outcomes


@pytest.mark.long
@pytest.mark.parametrize("code", ["InvalidIdentityToken", "IDPCommunicationError", "AccessDenied"])
async def test_credentials_that_can_not_be_fetched_fail_no_task(
    aws: LocalAWS, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    refusals = 6
    made = AwsSession._make_client

    def sign(**_: Any) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            response: Any = {"Error": {"Code": code, "Message": "x"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(response, "AssumeRoleWithWebIdentity")

    def make(session: AwsSession, service: str, *arguments: Any) -> Any:
        client = made(session, service, *arguments)
        client.meta.events.register(f"before-sign.{service}", sign)
        return client

    async with running(aws) as (backend, told):
        monkeypatch.setattr(AwsSession, "_make_client", make)
        backend._client.session.renew()
        tasks = works(square, [1, 2, 3])
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task, 60) for task in tasks] == [1, 4, 9]
        assert any(code in pause for pause in told.pauses)
        assert told.lost == []


async def test_a_revision_that_is_deregistered_is_replaced_by_the_newest_active_one(aws: LocalAWS) -> None:
    batch, name = aws.client("batch"), "redeployed"
    register(batch, name, list(COMMAND))
    async with running(aws, job_definition=f"{name}:1") as (backend, told):
        register(batch, name, list(COMMAND))
        batch.deregister_job_definition(jobDefinition=f"{name}:1")
        tasks = works(square, [1, 2])
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [1, 4]
        assert any("not in ACTIVE status" in pause for pause in told.pauses)
        assert told.resumed == len(told.pauses)
        jobs = batch.describe_jobs(jobs=[one.job_id for one in told.placements])["jobs"]
        assert {one["jobDefinition"].rpartition(":")[2] for one in jobs} == {"2"}
