"""What is told of calling AWS: how many, how fast, how often refused, and whether AWS answers at all."""

from __future__ import annotations

import pytest
from botocore import exceptions as sdk

from engine.aws.client import DESCRIBE_JOBS, GET_OBJECT, AwsClient
from engine.aws.errors import AwsError
from tests.engine.aws.test_client import THROTTLED, script
from tests.engine.aws.test_errors import answered
from tests.support.engine.fake_clock import FakeClock

UNREACHABLE = sdk.EndpointConnectionError(endpoint_url="x")


async def test_throttles_and_errors_are_counted_with_the_last_one_in_words(caller: AwsClient) -> None:
    await caller.run(DESCRIBE_JOBS, script(THROTTLED, answered(500, "InternalError"), "fine"))
    told = caller.statistics.of("DescribeJobs")
    assert (told.calls, told.errors, told.throttles) == (3, 2, 1)
    assert told.last_error.startswith("InternalError")


async def test_a_missing_object_is_an_answer_and_no_error(caller: AwsClient) -> None:
    with pytest.raises(AwsError):
        await caller.run(GET_OBJECT, script(answered(404, "NoSuchKey")))
    assert caller.statistics.of("GetObject").errors == 0


async def test_latency_is_that_of_the_call_without_waits_and_pauses(caller: AwsClient, clock: FakeClock) -> None:
    def slow() -> str:
        clock.now += 0.25
        return "fine"

    for _ in range(100):
        await caller.run(DESCRIBE_JOBS, slow)
    assert caller.statistics.of("DescribeJobs").latency_s(0.5, 0.99) == pytest.approx((0.25, 0.25), rel=0.1)


async def test_a_batch_of_calls_counts_each_and_its_share_of_the_time(caller: AwsClient, clock: FakeClock) -> None:
    def batch() -> str:
        clock.now += 1.0
        return "fine"

    await caller.run(GET_OBJECT, batch, cost=10)
    told = caller.statistics.of("GetObject")
    assert told.calls == 10
    assert told.per_second == 1.0
    assert told.latency_s(0.5)[0] == pytest.approx(0.1, rel=0.1)


async def test_silence_lasts_until_every_service_that_fell_silent_answers(caller: AwsClient, clock: FakeClock) -> None:
    for api in (DESCRIBE_JOBS, GET_OBJECT):
        with pytest.raises(AwsError):
            await caller.run(api, script(UNREACHABLE), tries=1)
    silence = caller.statistics.silence
    assert silence is not None
    assert silence[1].startswith("batch can't be reached")
    await caller.run(DESCRIBE_JOBS, script("fine"))
    assert caller.statistics.silence is not None
    clock.now += 60
    await caller.run(GET_OBJECT, script("fine"))
    assert caller.statistics.silence is None
    assert caller.statistics.answering_since == clock.now


async def test_an_error_that_aws_answers_with_is_no_silence(caller: AwsClient) -> None:
    with pytest.raises(AwsError):
        await caller.run(DESCRIBE_JOBS, script(answered(400, "ClientException")))
    assert caller.statistics.silence is None


async def test_the_wait_for_throttles_is_told_and_is_none_at_the_full_rate(caller: AwsClient, clock: FakeClock) -> None:
    bucket = caller.bucket(DESCRIBE_JOBS)
    assert bucket.backoff_s == 0.0
    bucket.throttled()
    assert bucket.backoff_s > 0.0
    clock.now += 60
    assert bucket.backoff_s == 0.0
