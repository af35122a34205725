"""Cleaning up under a job that has not ended, while the call that ends it goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from tests.support.provisioner.faults.commands import AFTER_CALL, REGION
from tests.support.provisioner.faults.expected import assert_cleans_up, assert_nothing_left, assert_told_what_remains
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

ENDING = Call(index=0, api="batch.TerminateJob", before=0)
WAITING = Delays(runnable=3600)
"""A job ends when it is told to, and not before."""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS(delays=WAITING, region=REGION) as aws:
        yield aws


@pytest.fixture
def stack(world: World) -> World:
    assert world.commands.provision().exit_code == 0
    world.put_job()
    return world


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.CUT_OFF], ids=str)
def test_a_job_that_could_not_be_ended_keeps_its_queue_until_the_next_run(stack: World, fault: Fault) -> None:
    stack.strike(fault, ENDING)
    ran = stack.commands.cleanup()
    stack.recover()
    assert_told_what_remains(stack, ran)
    assert f"{stack.commands.prefix}-queue" in stack.living()
    assert_cleans_up(stack)


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.ANSWERS_LOST], ids=str)
def test_a_job_that_ended_without_an_answer_is_found_to_have_ended(stack: World, fault: Fault) -> None:
    stack.strike(fault, ENDING)
    ran = stack.commands.cleanup()
    stack.recover()
    if ran.exit_code:
        assert_told_what_remains(stack, ran)
        assert_cleans_up(stack)
    assert_nothing_left(stack)


def test_one_that_is_killed_there_is_finished_by_the_next(stack: World) -> None:
    stack.commands.cleanup_killed(0, f"{AFTER_CALL}.batch.{ENDING.api.partition('.')[2]}")
    assert_cleans_up(stack)
