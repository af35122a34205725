"""Calls are repeated, refused, paused and counted as their errors ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from botocore import exceptions as sdk

from engine.aws.client import DESCRIBE_JOBS, SUBMIT_JOB, AwsClient
from engine.aws.errors import AwsError, ErrorAction
from tests.engine.aws.test_errors import answered
from tests.support.engine.fake_clock import FakeClock

Work = Callable[[], str]


def script(*steps: Exception | str) -> Work:
    """Raises or answers, one step a call."""
    remaining = list(steps)

    def work() -> str:
        step = remaining.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return work


EXPIRED = answered(403, "ExpiredTokenException")
THROTTLED = answered(429, "TooManyRequestsException")


async def test_a_throttled_call_is_repeated_and_slows_its_own_api_down(caller: AwsClient) -> None:
    assert await caller.run(DESCRIBE_JOBS, script(THROTTLED, THROTTLED, "fine")) == "fine"
    assert caller.bucket(DESCRIBE_JOBS).current_rate < DESCRIBE_JOBS.rate
    assert caller.bucket(SUBMIT_JOB).current_rate == SUBMIT_JOB.rate
    assert caller.statistics.of("DescribeJobs").calls == 3


async def test_back_off_grows_to_a_bound(caller: AwsClient, clock: FakeClock) -> None:
    outage = [sdk.EndpointConnectionError(endpoint_url="x")] * 8
    await caller.run(DESCRIBE_JOBS, script(*outage, "fine"))
    assert clock.slept == [0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]


async def test_a_refusal_is_raised_at_once(caller: AwsClient) -> None:
    with pytest.raises(AwsError, match="AccessDenied"):
        await caller.run(DESCRIBE_JOBS, script(answered(403, "AccessDenied")))
    assert caller.statistics.of("DescribeJobs").calls == 1


async def test_a_submit_whose_answer_was_lost_is_not_repeated(caller: AwsClient) -> None:
    with pytest.raises(AwsError) as caught:
        await caller.run(SUBMIT_JOB, script(sdk.ReadTimeoutError(endpoint_url="x"), "never"))
    assert caught.value.action is ErrorAction.AMBIGUOUS
    assert caller.statistics.of("SubmitJob").calls == 1


async def test_a_call_that_is_given_up_meanwhile_is_not_repeated(caller: AwsClient) -> None:
    with pytest.raises(AwsError, match="TooManyRequests"):
        await caller.run(SUBMIT_JOB, script(THROTTLED, "never"), given_up=lambda: True)
    assert caller.statistics.of("SubmitJob").calls == 1


async def test_refreshed_credentials_go_unnoticed(caller: AwsClient) -> None:
    pauses: list[str] = []
    caller.gate.on_closed = pauses.append
    assert await caller.run(DESCRIBE_JOBS, script(EXPIRED, "fine")) == "fine"
    assert pauses == []


async def test_credentials_that_stay_expired_pause_until_they_are_valid(caller: AwsClient, clock: FakeClock) -> None:
    told: list[str] = []
    caller.gate.on_closed, caller.gate.on_opened = told.append, lambda: told.append("resumed")
    caller.gate._wait = clock_wait(clock)  # type: ignore[method-assign, assignment]
    assert await caller.run(DESCRIBE_JOBS, script(EXPIRED, EXPIRED, EXPIRED, EXPIRED, "fine")) == "fine"
    assert len(told) == 2
    assert "ExpiredTokenException" in told[0]
    assert told[1] == "resumed"


async def test_at_start_credentials_are_not_waited_for(caller: AwsClient) -> None:
    with pytest.raises(AwsError) as caught:
        await caller.run(DESCRIBE_JOBS, script(EXPIRED, EXPIRED, "never"), tries=5)
    assert caught.value.action is ErrorAction.REFRESH_CREDENTIALS
    assert caller.gate.reason is None


async def test_a_guarded_call_waits_for_the_lease(caller: AwsClient) -> None:
    class Ownership:
        held = False
        event = asyncio.Event()

        async def wait_held(self) -> None:
            await self.event.wait()

    owner = Ownership()
    caller.ownership = owner
    call = asyncio.create_task(caller.run(SUBMIT_JOB, script("fine")))
    await asyncio.sleep(0)
    assert caller.statistics.of("SubmitJob").calls == 0
    owner.held = True
    owner.event.set()
    assert await call == "fine"


def clock_wait(clock: FakeClock) -> Callable[[float | None], Coroutine[Any, Any, None]]:
    async def wait(seconds: float | None) -> None:
        await clock.sleep(seconds or 0.0)

    return wait
