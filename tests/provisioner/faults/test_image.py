"""Provisioning that builds its image, while a call that the image needs goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.image.request import OWN_PYTHON
from provisioner.local.aws import LocalAWS
from tests.support.provisioner.fake_builder import FakeBuilders
from tests.support.provisioner.faults.cases import one_at_every_call
from tests.support.provisioner.faults.commands import REGION
from tests.support.provisioner.faults.expected import (
    assert_cleans_up,
    assert_fault_is_told,
    assert_provisions,
)
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

CALLS = [Call(0, "ecr.GetAuthorizationToken", 0), *(Call(0, "ecr.DescribeImages", before) for before in range(3))]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS(region=REGION) as aws:
        yield aws


@pytest.fixture
def building(world: World, builders: FakeBuilders, aws: LocalAWS) -> World:
    builders.install("docker")
    builders.set(python=OWN_PYTHON, ecr=aws.endpoint)
    world.commands.image = ""
    return world


@one_at_every_call(CALLS, Fault.DENIED, Fault.THROTTLED, Fault.CUT_OFF)
def test_a_call_for_the_image_that_fails_is_told_and_the_next_run_finishes(
    building: World, call: Call, fault: Fault
) -> None:
    assert_fault_is_told(building, fault, call)
    assert_provisions(building)
    assert_cleans_up(building)
