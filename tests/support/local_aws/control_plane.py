"""Batch's control plane on a clock that only tests move, in an account of plain dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from provisioner.local.batch.account import LocalInstanceProfile
from provisioner.local.batch.control_plane.resources import Resources
from provisioner.local.batch.errors import BatchError
from provisioner.local.options import Delays
from tests.support.local_aws.manual_batch import ManualBatch

DELAY = 10.0
ROLE = "arn:aws:iam::123456789012:role"
LINKED_ROLE = f"{ROLE}/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
TYPES = {"c7i": "x86_64", "c7i.large": "x86_64", "c7g": "arm64"}


class FakeAccount:
    """What the environments of these tests name; tests take things away."""

    def __init__(self) -> None:
        self.restore()

    def restore(self) -> None:
        self.roles: dict[str, int] = {LINKED_ROLE: 0, f"{ROLE}/job": 0}
        self.profiles: dict[str, LocalInstanceProfile | None] = {
            "instances": LocalInstanceProfile(has_role=True, since_ms=0)
        }
        self.networks = {
            "subnet-1": "vpc-1",
            "subnet-2": "vpc-1",
            "sg-1": "vpc-1",
            "sg-2": "vpc-1",
            "sg-other": "vpc-2",
        }
        self.templates = {"lt-1"}

    def role_since(self, arn: str) -> int | None:
        return self.roles.get(arn)

    def profile(self, name_or_arn: str) -> LocalInstanceProfile | None:
        return self.profiles.get(name_or_arn)

    def vpc_of_subnet(self, subnet_id: str) -> str | None:
        return self.networks.get(subnet_id)

    def vpc_of_group(self, group_id: str) -> str | None:
        return self.networks.get(group_id)

    def has_launch_template(self, template: Mapping[str, Any]) -> bool:
        return template.get("launchTemplateId") in self.templates

    def architectures(self, name: str) -> frozenset[str]:
        return frozenset({TYPES[name]} if name in TYPES else ())

    def service_linked_role(self) -> str:
        return LINKED_ROLE


class Plane:
    """Environments, queues and definitions in an account; each change takes ten seconds."""

    def __init__(self, propagation: float = 0.0, delay: float = DELAY, delays: Delays | None = None) -> None:
        self.world = ManualBatch()
        self.world.lifecycle.placement.queues.clear()
        self.clock = self.world.clock
        self.account = FakeAccount()
        given = delays or Delays(environment=delay, queue=delay, propagation=propagation)
        self.resources = Resources(self.world.lifecycle, self.account, given, "us-east-1")

    @property
    def environments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.resources.environments.describe({})["computeEnvironments"]
        return found

    @property
    def environment(self) -> dict[str, Any]:
        return self.environments[0]

    @property
    def queue(self) -> dict[str, Any]:
        found: dict[str, Any] = self.resources.queues.describe({})["jobQueues"][0]
        return found

    def make_environment(self, **changes: Any) -> None:
        self.resources.environments.create(environment(**changes))
        self.clock.advance(DELAY)

    def make_queue(self, **changes: Any) -> None:
        self.resources.queues.create(queue(**changes))
        self.clock.advance(DELAY)

    def change(self, **compute: Any) -> None:
        self.resources.environments.update({"computeEnvironment": "compute", "computeResources": compute})

    def disable(self) -> None:
        self.resources.environments.update({"computeEnvironment": "compute", "state": "DISABLED"})
        self.clock.advance(DELAY)

    def delete(self) -> None:
        self.resources.environments.delete({"computeEnvironment": "compute"})


def refusal(call: Callable[[], Any]) -> str:
    """What Batch says when it refuses."""
    with pytest.raises(BatchError) as caught:
        call()
    assert caught.value.code == "ClientException"
    return str(caught.value)


def environment(name: str = "compute", state: str = "ENABLED", role: str = "", **compute: Any) -> dict[str, Any]:
    """A request that works; `compute` changes its computeResources."""
    resources = {
        "type": "EC2",
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
        "minvCpus": 0,
        "maxvCpus": 16,
        "instanceTypes": ["optimal"],
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
        "instanceRole": "instances",
    }
    return {
        "computeEnvironmentName": name,
        "type": "MANAGED",
        "state": state,
        "serviceRole": role,
        "computeResources": {**resources, **compute},
    }


def queue(*environments: str, **changes: Any) -> dict[str, Any]:
    """A request for a queue on these environments; on `compute` when there are none."""
    order = [
        {"order": order, "computeEnvironment": name} for order, name in enumerate(environments or ("compute",), start=1)
    ]
    return {"jobQueueName": "queue", "priority": 1, "computeEnvironmentOrder": order, **changes}


def definition(name: str = "work", container: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A request that works; `container` changes its containerProperties."""
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]
    properties = {"image": "image:1", "command": ["work"], "resourceRequirements": resources, **(container or {})}
    return {"jobDefinitionName": name, "type": "container", "containerProperties": properties, **changes}
