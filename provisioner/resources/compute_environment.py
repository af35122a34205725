"""The managed EC2 compute environment: scales from zero to `--max-vcpus`, on demand."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.models import ApiCall, Instruction, WaitUntil
from provisioner.remote import RemoteState
from provisioner.resources import GONE, READY, SETTLED
from provisioner.resources.network import default_network
from provisioner.resources.service_role import service_role_arn
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack


class ComputeEnvironment:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = stack.compute_environment

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        found = self._read(remote)
        if found is None:
            return [self._creation(spec, remote), self._wait(READY)]
        changed = _differences(spec, found["computeResources"])
        if changed:
            update = self._change("change", "update_compute_environment", computeResources=changed)
            return [update, self._wait(READY)]
        return [] if found["status"] == "VALID" else [self._wait(READY)]

    def removal(self, remote: RemoteState) -> list[Instruction]:
        """AWS deletes only what is disabled, and what no queue names any more."""
        found = self._read(remote)
        if found is None:
            return []
        return [
            self._change("disable", "update_compute_environment", state="DISABLED"),
            self._wait(SETTLED),
            self._change("delete", "delete_compute_environment"),
            self._wait(GONE),
        ]

    def _read(self, remote: RemoteState) -> Document | None:
        found = remote.list(
            "batch",
            "describe_compute_environments",
            "computeEnvironments",
            computeEnvironments=[self._name],
        )
        return next((entry for entry in found if entry["status"] != "DELETED"), None)

    def _creation(self, spec: ProvisionSpec, remote: RemoteState) -> Instruction:
        return ApiCall(
            f"create compute environment {self._name}",
            "batch",
            "create_compute_environment",
            {
                "computeEnvironmentName": self._name,
                "type": "MANAGED",
                "state": "ENABLED",
                "computeResources": self._resources(spec, remote),
                "serviceRole": service_role_arn(remote),
                "tags": self._stack.tags,
            },
        )

    def _resources(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        network = default_network(self._stack.region, remote)
        return {
            "type": "EC2",
            "allocationStrategy": "BEST_FIT_PROGRESSIVE",
            "minvCpus": 0,
            **_sizes(spec),
            "subnets": list(network.subnet_ids),
            "securityGroupIds": [network.security_group_id],
            "instanceRole": self._stack.iam_arn("instance-profile", self._stack.instance_role),
            "tags": self._stack.tags,
        }

    def _change(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(
            f"{what} compute environment {self._name}",
            "batch",
            operation,
            {"computeEnvironment": self._name, **parameters},
        )

    def _wait(self, statuses: frozenset[str]) -> Instruction:
        return WaitUntil(
            f"wait until compute environment {self._name} is {' or '.join(sorted(statuses)) or 'gone'}",
            "batch",
            "describe_compute_environments",
            {"computeEnvironments": [self._name]},
            "computeEnvironments",
            statuses,
        )


def _sizes(spec: ProvisionSpec) -> Document:
    """What of an environment the spec decides, and UpdateComputeEnvironment can change."""
    return {"maxvCpus": spec.max_vcpus, "instanceTypes": list(spec.instance_types)}


def _differences(spec: ProvisionSpec, current: Document) -> Document:
    return {key: value for key, value in _sizes(spec).items() if current.get(key) != value}
