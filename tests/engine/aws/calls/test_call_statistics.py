"""What is told of calling AWS: how many, how fast, how often refused, and whether AWS answers at all."""

from __future__ import annotations

import pytest
from botocore import exceptions as sdk

from engine.aws.calls.call_statistics import FAILING_FOR_S
from engine.aws.calls.operations import DESCRIBE_JOBS, GET_OBJECT
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from tests.support.engine.aws_answers import THROTTLED, answered, script
from tests.support.engine.fake_clock import FakeClock

UNREACHABLE = sdk.EndpointConnectionError(endpoint_url="x")


async def test_throttles_and_errors_are_counted_with_the_last_one_in_words(client: AwsClient) -> None:
    await client.run(DESCRIBE_JOBS, script(THROTTLED, answered(500, "InternalError"), "fine"))
    told = client.statistics.of("DescribeJobs")
    assert (told.calls, told.errors, told.throttles) == (3, 2, 1)
    assert told.last_error.startswith("InternalError")


async def test_a_missing_object_is_an_answer_and_no_error(client: AwsClient) -> None:
    with pytest.raises(AwsError):
        await client.run(GET_OBJECT, script(answered(404, "NoSuchKey")))
    assert client.statistics.of("GetObject").errors == 0


async def test_latency_is_that_of_the_call_without_waits_and_pauses(client: AwsClient, clock: FakeClock) -> None:
    def slow() -> str:
        clock.now += 0.25
        return "fine"

    for _ in range(100):
        await client.run(DESCRIBE_JOBS, slow)
    assert client.statistics.of("DescribeJobs").latency_s(0.5, 0.99) == pytest.approx((0.25, 0.25), rel=0.1)


async def test_a_batch_of_calls_counts_each_and_its_share_of_the_time(client: AwsClient, clock: FakeClock) -> None:
    def batch() -> str:
        clock.now += 1.0
        return "fine"

    await client.run(GET_OBJECT, batch, cost=10)
    told = client.statistics.of("GetObject")
    assert told.calls == 10
    assert told.per_second == 1.0
    assert told.latency_s(0.5)[0] == pytest.approx(0.1, rel=0.1)


async def test_silence_of_a_service_lasts_until_it_answers(client: AwsClient, clock: FakeClock) -> None:
    for api in (DESCRIBE_JOBS, GET_OBJECT):
        with pytest.raises(AwsError):
            await client.run(api, script(UNREACHABLE), tries=1)
    silence = client.statistics.silence_of("batch")
    assert silence is not None
    assert silence[1].startswith("batch can't be reached")
    await client.run(DESCRIBE_JOBS, script("fine"))
    assert client.statistics.silence_of("batch") is None
    assert client.statistics.silence_of("s3") is not None


async def test_an_api_fails_since_its_first_failure_after_a_success(client: AwsClient, clock: FakeClock) -> None:
    told = client.statistics.of("DescribeJobs")
    await client.run(DESCRIBE_JOBS, script("fine"))
    clock.now += 10
    began = clock.now
    for _ in range(2):
        with pytest.raises(AwsError):
            await client.run(DESCRIBE_JOBS, script(answered(500, "InternalError")), tries=1)
        clock.now += 10
    assert told.failing_since(clock.now) == began
    assert told.succeeded_at == began - 10
    assert told.failing_since(clock.now + FAILING_FOR_S) is None
    await client.run(DESCRIBE_JOBS, script("fine"))
    assert told.failing_since(clock.now) is None


async def test_throttles_of_long_ago_are_no_recent_ones(client: AwsClient, clock: FakeClock) -> None:
    await client.run(DESCRIBE_JOBS, script(THROTTLED, "fine"))
    told = client.statistics.of("DescribeJobs")
    assert (told.throttles, told.recent_throttles) == (1, 1)
    clock.now += 301
    assert (told.throttles, told.recent_throttles) == (1, 0)


async def test_an_error_that_aws_answers_with_is_no_silence(client: AwsClient) -> None:
    with pytest.raises(AwsError):
        await client.run(DESCRIBE_JOBS, script(answered(400, "ClientException")))
    assert client.statistics.silence_of("batch") is None


async def test_the_wait_for_throttles_is_told_and_is_none_at_the_full_rate(client: AwsClient, clock: FakeClock) -> None:
    bucket = client.bucket(DESCRIBE_JOBS)
    assert bucket.backoff_s == 0.0
    bucket.halve()
    assert bucket.backoff_s > 0.0
    clock.now += 60
    assert bucket.backoff_s == 0.0
