"""Commands on an account whose every call is refused for a moment, as AWS does: the first run is green all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.faults.passing import PASSING_ANSWERS
from provisioner.plan.refusals import PASSING
from tests.support.provisioner.faults import recorded
from tests.support.provisioner.faults.commands import Commands
from tests.support.provisioner.faults.expected import assert_nothing_left, assert_provisioned
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

TIMES = 2


def refusals(command: str) -> Iterator[str]:
    """One for each call of the command and each refusal that it may meet, `TIMES` times each."""
    for api in dict.fromkeys(call.api for call in recorded.changing(command)):
        service, _, operation = api.partition(".")
        for (of, name), answer in PASSING_ANSWERS.items():
            if of == service and meets(service, operation, f"{answer.code}: {answer.text}"):
                yield f"refuse:{api}:{name}:x{TIMES}"


def meets(service: str, operation: str, text: str) -> bool:
    """Whether the provisioner has to wait it out, by boto3's method names."""
    fitting = [row for row in PASSING if row.service == service and row.words in text]
    return any(operation.startswith(start.title().replace("_", "")) for row in fitting for start in row.operations)


def switch_on(world: World, command: str) -> int:
    faults = list(refusals(command))
    for fault in faults:
        world.aws.fault(fault)
    return len(faults)


def assert_all_struck(world: World, count: int) -> None:
    """Each of them, but for those of calls that this account didn't need."""
    struck = [fault["struck"] for fault in world.aws.faults()]
    assert len(struck) == count
    assert struck.count(TIMES) >= count * 0.9, world.aws.faults()


def test_provision_is_green_in_its_first_run(world: World) -> None:
    count = switch_on(world, "provision")
    ran = world.commands.provision()
    assert ran.exit_code == 0, ran.last
    assert_all_struck(world, count)
    world.recover()
    assert_provisioned(world)
    world.commands.cleanup()


def test_cleanup_is_green_in_its_first_run_and_leaves_nothing(world: World, whole: Commands, tmp_path: Path) -> None:
    world.commands = whole.copied(tmp_path)
    count = switch_on(world, "cleanup")
    ran = world.commands.cleanup()
    assert ran.exit_code == 0, ran.last
    assert_all_struck(world, count)
    world.recover()
    assert_nothing_left(world)
