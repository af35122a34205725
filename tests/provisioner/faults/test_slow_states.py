"""Commands that are killed while AWS Batch is at work: the next one finds its resources half made or half gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import provisioner.plan.executor
from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from provisioner.plan.waiting import WaitPolicy
from tests.support.provisioner.faults.commands import AFTER_CALL, REGION
from tests.support.provisioner.faults.expected import (
    assert_cleans_up,
    assert_provisions,
    assert_roles_under_environments,
)
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

SLOW = Delays(environment=0.3, queue=0.3)
each_making = pytest.mark.parametrize("api", ["CreateComputeEnvironment", "CreateJobQueue"])
each_removing = pytest.mark.parametrize(
    "api", ["UpdateJobQueue", "DeleteJobQueue", "UpdateComputeEnvironment", "DeleteComputeEnvironment"]
)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS(delays=SLOW, region=REGION) as aws:
        yield aws


@pytest.fixture(autouse=True)
def real_pauses(no_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioner.plan.executor, "WaitPolicy", WaitPolicy)


@pytest.fixture
def stack(world: World) -> World:
    assert world.commands.provision().exit_code == 0
    return world


@each_making
def test_what_is_being_made_is_waited_for_by_the_next_provision(world: World, api: str) -> None:
    world.commands.provision_killed(0, f"{AFTER_CALL}.batch.{api}")
    assert_provisions(world)
    assert_cleans_up(world)


@each_making
def test_what_is_being_made_is_removed_by_cleanup(world: World, api: str) -> None:
    world.commands.provision_killed(0, f"{AFTER_CALL}.batch.{api}")
    assert_cleans_up(world)


@each_removing
def test_what_is_being_removed_is_waited_for_by_the_next_cleanup(stack: World, api: str) -> None:
    stack.commands.cleanup_killed(0, f"{AFTER_CALL}.batch.{api}")
    assert_roles_under_environments(stack, stack.living())
    assert_cleans_up(stack)


@each_removing
def test_what_is_being_removed_is_made_again_by_provisioning(stack: World, api: str) -> None:
    stack.commands.cleanup_killed(0, f"{AFTER_CALL}.batch.{api}")
    assert_provisions(stack)
    assert_cleans_up(stack)
