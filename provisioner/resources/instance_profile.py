"""The instance profile by which the compute environment's instances get their role."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.models import ApiCall, Instruction
from provisioner.remote import RemoteState
from provisioner.resources.role import NO_SUCH
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack


class InstanceProfile:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = stack.instance_role

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        found = self._read(remote)
        changes: list[Instruction] = []
        if found is None:
            tags = self._stack.tag_list
            changes.append(self._call("create instance profile", "create_instance_profile", Tags=tags))
        if found is None or not found["Roles"]:
            what = "put the role into instance profile"
            changes.append(self._call(what, "add_role_to_instance_profile", RoleName=self._name))
        return changes

    def removal(self, remote: RemoteState) -> list[Instruction]:
        found = self._read(remote)
        if found is None:
            return []
        taken = [
            self._call(
                "take the role out of instance profile",
                "remove_role_from_instance_profile",
                RoleName=role["RoleName"],
            )
            for role in found["Roles"]
        ]
        return [*taken, self._call("delete instance profile", "delete_instance_profile")]

    def _read(self, remote: RemoteState) -> Document | None:
        found = remote.get("iam", "get_instance_profile", missing=NO_SUCH, InstanceProfileName=self._name)
        return found and found["InstanceProfile"]

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        parameters = {"InstanceProfileName": self._name, **parameters}
        return ApiCall(f"{what} {self._name}", "iam", operation, parameters)
