"""Background tasks: a loop that breaks ends the ownership, a surprise in one piece of work doesn't."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.background import BackgroundTasks
from tests.support.engine.batch_harness import Recorder


async def surprise() -> None:
    raise KeyError("state")


async def refusal() -> None:
    raise AwsError("DescribeJobs", ErrorAction.REFUSED, "AccessDeniedException", "not allowed")


async def ended(told: Recorder) -> list[str]:
    for _ in range(5):
        await asyncio.sleep(0)
    return told.lost


async def test_a_surprise_in_a_piece_of_work_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told = Recorder()
    background = BackgroundTasks(told)
    background.start(surprise())
    assert await ended(told) == []
    assert "KeyError: 'state'" in caplog.text


async def test_a_loop_that_breaks_ends_the_ownership() -> None:
    told = Recorder()
    background = BackgroundTasks(told)
    background.spawn(surprise())
    assert await ended(told) == ["the Batch backend broke: KeyError('state')"]


async def test_a_refusal_of_aws_in_a_piece_of_work_ends_the_ownership() -> None:
    told = Recorder()
    background = BackgroundTasks(told)
    background.start(refusal())
    [why] = await ended(told)
    assert "DescribeJobs failed with AccessDeniedException" in why


@pytest.mark.filterwarnings("error")
async def test_a_piece_of_work_that_is_cancelled_before_it_began_leaves_nothing_behind() -> None:
    background = BackgroundTasks(Recorder())
    work = surprise()
    background.start(work)
    await background.cancel()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
