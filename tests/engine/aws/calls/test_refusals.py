"""A refusal of what worked before may pass: it is retried for a minute, and the engine says what it waits for."""

from __future__ import annotations

import asyncio

import pytest

from engine.aws.calls.operations import (
    DESCRIBE_JOBS,
    GET_OBJECT,
    GET_PAYLOAD,
    LIST_JOBS,
    LIST_OBJECTS,
    SUBMIT_JOB,
    Operation,
)
from engine.aws.calls.pauses import FIRST_REFUSAL_PATIENCE_S, REFUSAL_PATIENCE_S
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from tests.support.engine.aws_answers import answered, refused, script, until
from tests.support.engine.fake_clock import FakeClock

DENIED = answered(403, "AccessDenied")
CLOSED = refused("ClientException", "Cannot submit job: job queue q is not ENABLED.")


@pytest.fixture
def told(client: AwsClient) -> list[str]:
    """What the engine was told of pauses."""
    told: list[str] = []
    client.pauses.on_paused, client.pauses.on_resumed = told.append, lambda: told.append("resumed")
    return told


async def worked(client: AwsClient, operation: Operation) -> None:
    await client.run(operation, script("fine"))


@pytest.mark.parametrize("refusal", [DENIED, answered(403, "403"), answered(403, "SomethingNew"), answered(401, "401")])
async def test_that_passes_is_no_end(client: AwsClient, told: list[str], refusal: Exception) -> None:
    await worked(client, DESCRIBE_JOBS)
    assert await client.run(DESCRIBE_JOBS, script(refusal, refusal, "fine")) == "fine"
    assert "DescribeJobs" in told[0]
    assert told[1:] == ["resumed"]


async def test_that_stays_is_final_after_a_minute(client: AwsClient, clock: FakeClock, told: list[str]) -> None:
    await worked(client, DESCRIBE_JOBS)
    begun = clock.now
    with pytest.raises(AwsError, match="AccessDenied"):
        await client.run(DESCRIBE_JOBS, script(*[DENIED] * 100))
    assert REFUSAL_PATIENCE_S <= clock.now - begun < REFUSAL_PATIENCE_S + 10
    assert told[-1] == "resumed"


async def test_of_what_never_worked_is_not_decided_on_one_sample(client: AwsClient, told: list[str]) -> None:
    assert await client.run(DESCRIBE_JOBS, script(DENIED, "fine")) == "fine"
    assert told == []


async def test_of_what_never_worked_is_final_within_seconds(client: AwsClient, clock: FakeClock) -> None:
    begun = clock.now
    with pytest.raises(AwsError, match="AccessDenied"):
        await client.run(DESCRIBE_JOBS, script(*[DENIED] * 100))
    assert FIRST_REFUSAL_PATIENCE_S <= clock.now - begun < FIRST_REFUSAL_PATIENCE_S + 10


@pytest.mark.parametrize("code", ["ClientException", "ValidationException"])
async def test_of_the_request_itself_is_final(client: AwsClient, code: str) -> None:
    await worked(client, SUBMIT_JOB)
    with pytest.raises(AwsError, match=code):
        await client.run(SUBMIT_JOB, script(refused(code, "Unable to substitute value."), "never"))


@pytest.mark.parametrize("operation", [DESCRIBE_JOBS, LIST_JOBS, LIST_OBJECTS])
@pytest.mark.parametrize("status", [400, 404, 405, 409])
async def test_of_a_look_that_asks_as_it_did_before_may_pass(
    client: AwsClient, clock: FakeClock, told: list[str], operation: Operation, status: int
) -> None:
    await worked(client, operation)
    refusal = answered(status, str(status))
    assert await client.run(operation, script(refusal, refusal, "fine")) == "fine"
    assert operation.name in told[0]
    assert told[1:] == ["resumed"]
    begun = clock.now
    with pytest.raises(AwsError, match=str(status)):
        await client.run(operation, script(*[refusal] * 100))
    assert REFUSAL_PATIENCE_S <= clock.now - begun < REFUSAL_PATIENCE_S + 10


async def test_of_a_single_object_holds_nobody_up(client: AwsClient, told: list[str]) -> None:
    await worked(client, GET_OBJECT)
    with pytest.raises(AwsError, match="AccessDenied"):
        await client.run(GET_OBJECT, script(DENIED, "never"))
    assert told == []


async def test_of_an_own_object_may_pass(client: AwsClient, told: list[str]) -> None:
    await worked(client, GET_OBJECT)
    assert await client.run(GET_PAYLOAD, script(DENIED, "fine")) == "fine"
    assert told[1:] == ["resumed"]


async def test_is_not_waited_for_where_an_answer_is_wanted_soon(client: AwsClient, told: list[str]) -> None:
    await worked(client, DESCRIBE_JOBS)
    with pytest.raises(AwsError, match="AccessDenied"):
        await client.run(DESCRIBE_JOBS, script(DENIED, "never"), tries=2)
    assert told == []


async def test_whose_call_is_cancelled_leaves_no_pause(client: AwsClient, told: list[str]) -> None:
    await worked(client, DESCRIBE_JOBS)
    client.sleep = lambda _: asyncio.Event().wait()  # type: ignore[assignment, return-value]
    call = asyncio.create_task(client.run(DESCRIBE_JOBS, script(DENIED, "never")))
    await until(lambda: told)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert told[1:] == ["resumed"]


async def test_of_a_disabled_queue_is_waited_for_as_long_as_it_takes(client: AwsClient, told: list[str]) -> None:
    assert await client.run(SUBMIT_JOB, script(*[CLOSED] * 200, "fine")) == "fine"
    assert "job queue q is not ENABLED" in told[0]
    assert told[1:] == ["resumed"]


async def test_of_a_disabled_queue_is_given_up_with_its_tasks(client: AwsClient) -> None:
    with pytest.raises(AwsError, match="not ENABLED"):
        await client.run(SUBMIT_JOB, script(CLOSED, "never"), given_up=lambda: True)
