"""Provisioning while one call goes wrong: it tells so or it succeeds, and what is left can be finished or removed."""

from __future__ import annotations

import pytest

from tests.support.provisioner.faults import recorded
from tests.support.provisioner.faults.cases import one_at_every_call
from tests.support.provisioner.faults.commands import AFTER_CALL
from tests.support.provisioner.faults.expected import (
    assert_cleans_up,
    assert_done_without,
    assert_fault_is_told,
    assert_nothing_left,
    assert_provisioned,
    assert_provisions,
    assert_saved_what_was_made,
)
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

READS, CHANGES = recorded.reading("provision"), recorded.changing("provision")
WAYS_OUT = {("ec2.DescribeRouteTables", 0), ("ec2.DescribeVpcEndpoints", 0), ("ec2.DescribeSubnets", 1)}
"""Reads of whether subnets have a way to AWS: who may not make them is told that it is unknown, and goes on."""
each_change = pytest.mark.parametrize("call", CHANGES, ids=str)


@one_at_every_call(READS, Fault.DENIED, Fault.THROTTLED, Fault.CUT_OFF)
def test_a_read_that_fails_is_told(world: World, call: Call, fault: Fault) -> None:
    if fault is Fault.DENIED and (call.api, call.before) in WAYS_OUT:
        assert_done_without(world, fault, call)
        return
    assert_fault_is_told(world, fault, call)
    if world.living():
        assert_provisions(world)
        assert_cleans_up(world)


@one_at_every_call(CHANGES, Fault.DENIED, Fault.THROTTLED)
def test_a_change_that_is_not_made_is_told_and_cleanup_finds_the_rest(world: World, call: Call, fault: Fault) -> None:
    assert_fault_is_told(world, fault, call)
    assert_cleans_up(world)


@each_change
def test_a_change_whose_answer_is_lost_once_is_found_to_be_made(world: World, call: Call) -> None:
    world.strike(Fault.ANSWER_LOST, call)
    assert_provisions(world)
    assert_cleans_up(world)


@one_at_every_call(CHANGES, Fault.ANSWERS_LOST, Fault.CUT_OFF)
def test_a_change_that_is_not_answered_is_told_and_the_next_run_finishes(
    world: World, call: Call, fault: Fault
) -> None:
    assert_fault_is_told(world, fault, call)
    assert_provisions(world)
    assert_cleans_up(world)


@each_change
def test_one_that_is_killed_after_a_change_is_finished_by_the_next(world: World, call: Call) -> None:
    world.commands.provision_killed(call.index, AFTER_CALL)
    assert_saved_what_was_made(world)
    assert_provisions(world)
    assert_cleans_up(world)


@each_change
def test_what_a_killed_one_made_is_removed_by_cleanup(world: World, call: Call) -> None:
    world.commands.provision_killed(call.index, AFTER_CALL)
    assert_cleans_up(world)


@pytest.mark.parametrize("form", ["throttle:{}:0/s:x2", "lost:{}:x2"])
def test_what_passes_is_tried_again_until_it_works(world: World, form: str) -> None:
    for api in {call.api for call in recorded.recorded("provision")}:
        world.aws.fault(form.format(api))
    assert world.commands.provision().exit_code == 0
    world.recover()
    assert_provisioned(world)
    assert_cleans_up(world)


def test_a_whole_life_without_faults_leaves_nothing(world: World) -> None:
    assert_provisions(world)
    assert_cleans_up(world)
    assert_nothing_left(world)
