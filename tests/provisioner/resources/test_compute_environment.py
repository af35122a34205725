"""Compute environments: usable, changed in place, with the image that GPUs need."""

from __future__ import annotations

import dataclasses

from provisioner.clients import Clients
from provisioner.kinds import ResourceKind
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    change_of,
    compute_resources,
    newest_definition,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_gpus_come_with_the_image_that_has_their_driver(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, gpus=1, instance_types=("g5.xlarge",)), clients)
    assert compute_resources(clients)["ec2Configuration"] == [{"imageType": "ECS_AL2023_NVIDIA"}]
    assert {"type": "GPU", "value": "1"} in newest_definition(clients)["containerProperties"]["resourceRequirements"]


def test_changed_limits_are_the_fields_of_the_plan_and_change_the_environment(clients: Clients) -> None:
    apply(SPEC, clients)
    changed = dataclasses.replace(SPEC, max_vcpus=16, instance_types=("c7i",))
    change = change_of(plan_for(changed, clients), ResourceKind.COMPUTE_ENVIRONMENT)
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("computeResources.instanceTypes[0]", "optimal", "c7i"),
        ("computeResources.maxvCpus", 256, 16),
    ]
