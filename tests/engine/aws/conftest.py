"""A client whose clock moves only when somebody sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.aws.client import AwsClient
from engine.aws.session import AwsSession
from tests.support.engine.fake_clock import FakeClock


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[AwsClient]:
    made = AwsClient(AwsSession("us-east-1", 4), clock=clock, sleep=clock.sleep, uniform=lambda _, high: high)
    yield made
    await made.close()
