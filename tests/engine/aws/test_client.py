"""Calls are repeated, refused, paused and counted as their errors ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from botocore import exceptions as sdk

from engine.aws.calls.operations import DESCRIBE_JOBS, SUBMIT_JOB
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from tests.support.engine.aws_answers import THROTTLED, answered, refused, script
from tests.support.engine.fake_clock import FakeClock

EXPIRED = answered(403, "ExpiredTokenException")


async def test_a_throttled_call_is_repeated_and_slows_its_own_api_down(client: AwsClient) -> None:
    assert await client.run(DESCRIBE_JOBS, script(THROTTLED, THROTTLED, "fine")) == "fine"
    assert client.bucket(DESCRIBE_JOBS).current_rate < DESCRIBE_JOBS.rate
    assert client.bucket(SUBMIT_JOB).current_rate == SUBMIT_JOB.rate
    assert client.statistics.of("DescribeJobs").calls == 3


async def test_back_off_grows_to_a_bound(client: AwsClient, clock: FakeClock) -> None:
    outage = [sdk.EndpointConnectionError(endpoint_url="x")] * 8
    await client.run(DESCRIBE_JOBS, script(*outage, "fine"))
    assert clock.slept == [0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]


async def test_a_refusal_of_what_a_request_says_is_raised_at_once(client: AwsClient) -> None:
    with pytest.raises(AwsError, match="ValidationException"):
        await client.run(DESCRIBE_JOBS, script(answered(400, "ValidationException")))
    assert client.statistics.of("DescribeJobs").calls == 1


async def test_a_submit_whose_answer_was_lost_is_not_repeated(client: AwsClient) -> None:
    with pytest.raises(AwsError) as caught:
        await client.run(SUBMIT_JOB, script(sdk.ReadTimeoutError(endpoint_url="x"), "never"))
    assert caught.value.action is ErrorAction.AMBIGUOUS
    assert client.statistics.of("SubmitJob").calls == 1


async def test_a_call_that_is_given_up_meanwhile_is_not_repeated(client: AwsClient) -> None:
    with pytest.raises(AwsError, match="TooManyRequests"):
        await client.run(SUBMIT_JOB, script(THROTTLED, "never"), given_up=lambda: True)
    assert client.statistics.of("SubmitJob").calls == 1


async def test_refreshed_credentials_go_unnoticed(client: AwsClient) -> None:
    pauses: list[str] = []
    client.gate.on_closed = pauses.append
    assert await client.run(DESCRIBE_JOBS, script(EXPIRED, "fine")) == "fine"
    assert pauses == []


async def test_credentials_that_stay_expired_pause_until_they_are_valid(client: AwsClient, clock: FakeClock) -> None:
    told: list[str] = []
    client.gate.on_closed, client.gate.on_opened = told.append, lambda: told.append("resumed")
    client.gate._wait = clock_wait(clock)  # type: ignore[method-assign, assignment]
    assert await client.run(DESCRIBE_JOBS, script(EXPIRED, EXPIRED, EXPIRED, EXPIRED, "fine")) == "fine"
    assert len(told) == 2
    assert "ExpiredTokenException" in told[0]
    assert told[1] == "resumed"


@pytest.mark.parametrize(
    "error",
    [
        refused("InvalidIdentityToken", "x", operation="AssumeRoleWithWebIdentity"),
        refused("IDPCommunicationError", "x", operation="AssumeRoleWithWebIdentity"),
        refused("AccessDenied", "x", status=403, operation="AssumeRole"),
        refused("InternalFailure", "x", status=500, operation="AssumeRole"),
        refused("Throttling", "x", operation="AssumeRole"),
        refused("ResourceNotFoundException", "x", status=404, operation="GetRoleCredentials"),
        refused("UnauthorizedException", "x", status=401, operation="CreateToken"),
        sdk.ProfileNotFound(profile="batch"),
        sdk.ConfigParseError(path="config", error="half written"),
        sdk.MetadataRetrievalError(error_msg="timeout"),
    ],
)
async def test_credentials_that_can_not_be_fetched_pause(client: AwsClient, clock: FakeClock, error: Exception) -> None:
    told: list[str] = []
    client.pauses.on_paused, client.pauses.on_resumed = told.append, lambda: told.append("resumed")
    client.gate._wait = clock_wait(clock)  # type: ignore[method-assign, assignment]
    assert await client.run(SUBMIT_JOB, script(error, error, "fine")) == "fine"
    assert "credentials" in told[0]
    assert told[1:] == ["resumed"]
    assert client.bucket(SUBMIT_JOB).throttles == 0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20260101T002000Z is still later than 20260101T001500Z"),
    ],
)
async def test_a_wrong_clock_is_told_as_one_and_waited_for(
    client: AwsClient, clock: FakeClock, code: str, message: str
) -> None:
    told: list[str] = []
    client.pauses.on_paused, client.pauses.on_resumed = told.append, lambda: told.append("resumed")
    client.gate._wait = clock_wait(clock)  # type: ignore[method-assign, assignment]
    skewed = refused(code, message, status=403)
    assert await client.run(SUBMIT_JOB, script(skewed, skewed, "fine")) == "fine"
    assert "this machine's clock is wrong" in told[0]
    assert told[1:] == ["resumed"]


async def test_at_start_credentials_are_not_waited_for(client: AwsClient) -> None:
    with pytest.raises(AwsError) as caught:
        await client.run(DESCRIBE_JOBS, script(EXPIRED, EXPIRED, "never"), tries=5)
    assert caught.value.action is ErrorAction.REFRESH_CREDENTIALS
    assert client.gate.reason is None


async def test_a_guarded_call_waits_for_the_lease(client: AwsClient) -> None:
    class Ownership:
        held = False
        event = asyncio.Event()

        async def wait_held(self) -> None:
            await self.event.wait()

    owner = Ownership()
    client.ownership = owner
    call = asyncio.create_task(client.run(SUBMIT_JOB, script("fine")))
    await asyncio.sleep(0)
    assert client.statistics.of("SubmitJob").calls == 0
    owner.held = True
    owner.event.set()
    assert await call == "fine"


def clock_wait(clock: FakeClock) -> Callable[[float | None], Coroutine[Any, Any, None]]:
    async def wait(seconds: float | None) -> None:
        await clock.sleep(seconds or 0.0)

    return wait
