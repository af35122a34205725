"""Cleaning up while one call goes wrong: it tells what remains or nothing does, and the next run removes the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.provisioner.faults import recorded
from tests.support.provisioner.faults.commands import AFTER_CALL, Commands, Ran
from tests.support.provisioner.faults.expected import (
    assert_cleans_up,
    assert_nothing_left,
    assert_roles_under_environments,
    assert_told_what_remains,
)
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

READS, CHANGES = recorded.reading("cleanup"), recorded.changing("cleanup")
each_first_read = pytest.mark.parametrize("call", [one for one in READS if not one.before], ids=str)
each_change = pytest.mark.parametrize("call", CHANGES, ids=str)


@pytest.fixture
def stack(world: World, whole: Commands, tmp_path: Path) -> World:
    world.commands = whole.copied(tmp_path)
    return world


def assert_true(stack: World, ran: Ran) -> None:
    """What it said holds; afterwards the next cleanup leaves nothing."""
    stack.recover()
    if ran.exit_code == 0:
        assert_nothing_left(stack)
        return
    assert_told_what_remains(stack, ran)
    assert_cleans_up(stack)


@pytest.mark.parametrize("call", READS, ids=str)
def test_a_read_that_is_denied(stack: World, call: Call) -> None:
    stack.strike(Fault.DENIED, call)
    assert_true(stack, stack.commands.cleanup())


@each_first_read
def test_a_read_that_is_not_answered(stack: World, call: Call) -> None:
    stack.strike(Fault.CUT_OFF, call)
    assert_true(stack, stack.commands.cleanup())


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        *((fault, call) for fault in (Fault.DENIED, Fault.ANSWERS_LOST) for call in CHANGES),
        *((Fault.THROTTLED, call) for call in recorded.of_each_service(CHANGES)),
    ],
    ids=str,
)
def test_a_change_that_fails(stack: World, fault: Fault, call: Call) -> None:
    stack.strike(fault, call)
    assert_true(stack, stack.commands.cleanup())


@each_change
def test_a_change_whose_answer_is_lost_once_is_found_to_be_made(stack: World, call: Call) -> None:
    stack.strike(Fault.ANSWER_LOST, call)
    assert_cleans_up(stack)


@each_change
def test_one_that_is_killed_is_finished_by_the_next(stack: World, call: Call) -> None:
    stack.commands.cleanup_killed(call.index, AFTER_CALL)
    assert_roles_under_environments(stack, stack.living())
    assert_cleans_up(stack)


@each_change
def test_what_a_killed_one_left_is_made_whole_by_provisioning(stack: World, call: Call) -> None:
    stack.commands.cleanup_killed(call.index, AFTER_CALL)
    assert stack.commands.provision().exit_code == 0
    assert stack.commands.plan().exit_code == 0
    assert_cleans_up(stack)


@pytest.mark.parametrize("form", ["throttle:{}:0/s:x2", "lost:{}:x2"])
def test_what_passes_is_tried_again_until_it_works(stack: World, form: str) -> None:
    for api in {call.api for call in recorded.recorded("cleanup")}:
        stack.aws.fault(form.format(api))
    ran = stack.commands.cleanup()
    assert ran.exit_code == 0, ran.last
    assert_nothing_left(stack)
