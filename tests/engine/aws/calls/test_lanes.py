"""Each kind of call has threads of its own; a guarded one is looked at once more in its thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.aws import limits
from engine.aws.calls.operations import (
    DELETE_ANSWER_S,
    DELETE_OBJECTS,
    DESCRIBE_JOBS,
    GET_LEASE,
    GET_OBJECT,
    LANE_THREADS,
    LEASE_ANSWER_S,
    LIST_OBJECTS,
    PUT_LEASE,
    PUT_OBJECT,
    SUBMIT_JOB,
    TERMINATE_JOB,
    UPLOAD_BYTES_A_S,
    Lane,
    Operation,
)
from engine.aws.client import AwsClient
from engine.aws.session import CONNECT_TIMEOUT_S, AwsSession
from engine.backends.batch.takeover.lease import RENEWAL_S, SAFETY_S
from provisioner.local.aws import LocalAWS
from tests.support.engine.aws_answers import SwitchedOwnership, until
from tests.support.engine.batch_harness import environment, manager_calls

GUARDED = (SUBMIT_JOB, TERMINATE_JOB, PUT_OBJECT, DELETE_OBJECTS)
SECONDS = 10.0


class Jam:
    """Calls of one lane that don't return before `release`."""

    def __init__(self, client: AwsClient, operation: Operation) -> None:
        self._released = threading.Event()
        count = LANE_THREADS[operation.lane]
        self._begun = threading.Semaphore(0)
        self._count = count
        self.calls = [asyncio.create_task(client.run(operation, self._hang)) for _ in range(count)]

    def _hang(self) -> None:
        self._begun.release()
        self._released.wait(SECONDS)

    async def until_full(self) -> None:
        for _ in range(self._count):
            await asyncio.to_thread(self._begun.acquire, timeout=SECONDS)

    async def release(self) -> None:
        self._released.set()
        await asyncio.gather(*self.calls)


@pytest.fixture
async def client() -> AsyncIterator[AwsClient]:
    made = AwsClient(AwsSession("us-east-1", 4))
    yield made
    await made.close()


@pytest.mark.parametrize("slow", [PUT_OBJECT, GET_OBJECT, TERMINATE_JOB, DESCRIBE_JOBS])
async def test_the_lease_never_waits_for_other_calls(client: AwsClient, slow: Operation) -> None:
    jam = Jam(client, slow)
    await jam.until_full()
    async with asyncio.timeout(SECONDS / 2):
        assert await client.run(PUT_LEASE, lambda: "renewed") == "renewed"
    await jam.release()


@pytest.mark.parametrize("starved", [SUBMIT_JOB, DESCRIBE_JOBS, LIST_OBJECTS, GET_OBJECT, TERMINATE_JOB])
async def test_slow_uploads_starve_nothing(client: AwsClient, starved: Operation) -> None:
    jam = Jam(client, PUT_OBJECT)
    await jam.until_full()
    async with asyncio.timeout(SECONDS / 2):
        assert await client.run(starved, lambda: "done") == "done"
    await jam.release()


@pytest.mark.parametrize("operation", GUARDED)
async def test_a_call_that_waited_for_a_thread_is_not_sent_without_the_lease(
    client: AwsClient, operation: Operation
) -> None:
    owner = client.ownership = SwitchedOwnership()
    jam = Jam(client, operation)
    await jam.until_full()
    held_when_sent: list[bool] = []
    call = asyncio.create_task(client.run(operation, lambda: held_when_sent.append(owner.held)))
    await until(lambda: not client._lanes[operation.lane]._work_queue.empty())
    owner.held = False
    await jam.release()
    await until(lambda: owner.waits)
    assert held_when_sent == []
    owner.give()
    await call
    assert held_when_sent == [True]
    assert client.statistics.of(operation.name).calls == LANE_THREADS[operation.lane] + 1


async def test_a_call_whose_credentials_took_too_long_is_not_sent_without_the_lease() -> None:
    """The lease goes after the thread began, while botocore fetches credentials."""
    with LocalAWS() as aws, environment(aws.environment()):
        client = AwsClient(AwsSession("us-east-1", 4))
        owner = client.ownership = SwitchedOwnership()

        def lose(**_: object) -> None:
            owner.held = owner.waits > 0

        client.session.client("batch").meta.events.register("before-sign", lose)
        call = asyncio.create_task(client.call(TERMINATE_JOB, jobId="job", reason="why"))
        await until(lambda: owner.waits)
        assert manager_calls(aws).get("batch.TerminateJob", 0) == 0
        owner.give()
        await call
        await client.close()


@pytest.mark.parametrize(
    ("service", "given", "expected"), [("batch", None, 20), ("s3", None, 60), ("s3", LEASE_ANSWER_S, LEASE_ANSWER_S)]
)
def test_an_answer_may_take_as_long_as_its_kind_of_call_allows(
    service: str, given: float | None, expected: float
) -> None:
    config = AwsSession("us-east-1", 4).client(service, given).meta.config
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, expected)


def test_the_margin_of_the_lease_covers_a_connection() -> None:
    assert SAFETY_S > CONNECT_TIMEOUT_S


@pytest.mark.parametrize("operation", [PUT_LEASE, GET_LEASE])
def test_a_call_of_the_lease_is_given_up_before_the_next_is_due(operation: Operation) -> None:
    assert operation.lane is Lane.LEASE
    assert (operation.answer_s or RENEWAL_S) < RENEWAL_S


class Timed(AwsSession):
    """Notes the time-outs of the clients that are asked for; each call is accepted."""

    def __init__(self) -> None:
        super().__init__("us-east-1", 4)
        self.asked: list[float | None] = []

    def client(self, service: str, read_timeout_s: float | None = None) -> Any:
        self.asked.append(read_timeout_s)
        return self

    def put_object(self, **_: object) -> dict[str, Any]:
        return {"ETag": "etag"}

    def delete_objects(self, **_: object) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("size", "longest"), [(0, 10), (100 * limits.KIB, 40), (64 * limits.MIB, 640), (500_000_000, 2_560)]
)
async def test_an_upload_has_the_time_that_its_size_needs_on_a_slow_line(size: int, longest: float) -> None:
    session = Timed()
    client = AwsClient(session)
    await client.call(PUT_OBJECT, Bucket="b", Key="k", Body=bytes(size))
    given = session.asked[0]
    assert given is not None
    assert size / UPLOAD_BYTES_A_S < given <= longest
    await client.close()


async def test_a_deletion_that_hangs_is_given_up_before_a_minute() -> None:
    session = Timed()
    client = AwsClient(session)
    await client.call(DELETE_OBJECTS, Bucket="b")
    assert session.asked == [DELETE_ANSWER_S]
    await client.close()
