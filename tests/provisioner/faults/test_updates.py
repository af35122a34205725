"""Provisioning that is killed while it changes a stack: the next run arrives at what was asked for."""

from __future__ import annotations

import pytest

from tests.support.provisioner.faults.commands import AFTER_CALL
from tests.support.provisioner.faults.expected import assert_cleans_up, assert_provisions
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

SMALL = ("--no-spot", "--max-vcpus", "256", "--memory", "2048", "--expiry-days", "3")
SPOT = ("--spot", "--max-vcpus", "8", "--memory", "8192", "--expiry-days", "1")


@pytest.mark.parametrize(
    ("before", "after", "call"),
    [
        (SMALL, SPOT, "s3.PutBucketLifecycleConfiguration"),
        (SMALL, SPOT, "batch.CreateComputeEnvironment"),
        (SMALL, SPOT, "batch.UpdateComputeEnvironment"),
        (SMALL, SPOT, "batch.UpdateJobQueue"),
        (SMALL, SPOT, "batch.RegisterJobDefinition"),
        (SMALL, SPOT, "batch.DeregisterJobDefinition"),
        (SPOT, SMALL, "batch.UpdateJobQueue"),
        (SPOT, SMALL, "batch.UpdateComputeEnvironment"),
        (SPOT, SMALL, "batch.DeleteComputeEnvironment"),
    ],
)
def test_the_next_run_arrives(world: World, before: tuple[str, ...], after: tuple[str, ...], call: str) -> None:
    world.commands.flags = before
    assert world.commands.provision().exit_code == 0
    world.commands.flags = after
    world.commands.provision_killed(0, f"{AFTER_CALL}.{call}")
    assert_provisions(world)
    assert_cleans_up(world)
