"""An IAM role of ours with its one inline policy."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.models import ApiCall, Instruction
from provisioner.policies import Policy, as_json
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack

POLICY_NAME = "scaler-batch"
NO_SUCH = "NoSuchEntity"


class Role:
    """`policy` is a function of the spec, because what a role may do depends on it (the image's registry)."""

    def __init__(self, stack: Stack, name: str, trust: Policy, policy: Callable[[ProvisionSpec], Policy]) -> None:
        self._stack = stack
        self._name = name
        self._trust = trust
        self._policy = policy

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        policy = self._policy(spec)
        found = remote.get("iam", "get_role", missing=NO_SUCH, RoleName=self._name)
        if found is None:
            return [self._creation(), self._put(policy)]
        changes: list[Instruction] = []
        if found["Role"]["AssumeRolePolicyDocument"] != self._trust:
            changes.append(
                self._call(
                    "change who may assume role",
                    "update_assume_role_policy",
                    PolicyDocument=as_json(self._trust),
                )
            )
        if self._current(remote) != policy:
            changes.append(self._put(policy))
        return changes

    def removal(self, remote: RemoteState) -> list[Instruction]:
        if remote.get("iam", "get_role", missing=NO_SUCH, RoleName=self._name) is None:
            return []
        removal: list[Instruction] = []
        if self._current(remote) is not None:
            removal.append(self._call("delete policy of role", "delete_role_policy", PolicyName=POLICY_NAME))
        return [*removal, self._call("delete role", "delete_role")]

    def _current(self, remote: RemoteState) -> Policy | None:
        found = remote.get("iam", "get_role_policy", missing=NO_SUCH, RoleName=self._name, PolicyName=POLICY_NAME)
        return found and found["PolicyDocument"]

    def _creation(self) -> Instruction:
        return self._call(
            "create role",
            "create_role",
            AssumeRolePolicyDocument=as_json(self._trust),
            Tags=self._stack.tag_list,
        )

    def _put(self, policy: Policy) -> Instruction:
        return self._call(
            "write policy of role",
            "put_role_policy",
            PolicyName=POLICY_NAME,
            PolicyDocument=as_json(policy),
        )

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self._name}", "iam", operation, {"RoleName": self._name, **parameters})
