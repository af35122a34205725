"""The instance profile by which the compute environment's instances get their role."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.plan.model import ApiCall, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import Found, Resource
from provisioner.resources.role import NO_SUCH
from provisioner.stack.naming import Stack, from_tag_list
from provisioner.stack.spec import ProvisionSpec


class InstanceProfile(Resource):
    kind = "instance profile"
    needs = ("IAM role",)

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.instance_role)

    @property
    def arn(self) -> str:
        return self.stack.iam_arn("instance-profile", self.name)

    @property
    def remove_command(self) -> str:
        flag = f"--instance-profile-name {self.name}"
        taken = f"aws iam remove-role-from-instance-profile {flag} --role-name {self.name}"
        return f"{taken}; aws iam delete-instance-profile {flag}"

    def read(self, remote: RemoteState) -> Found | None:
        found = remote.get("iam", "get_instance_profile", missing=NO_SUCH, InstanceProfileName=self.name)
        if found is None:
            return None
        profile = found["InstanceProfile"]
        tags = self.stack.ours_of(from_tag_list(profile.get("Tags", [])))
        return Found({"tags": tags, "roles": [role["RoleName"] for role in profile["Roles"]]})

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        return {"tags": self.stack.tags, "roles": [self.name]}

    def create(self, desired: Document) -> list[Instruction]:
        made = self._call("create instance profile", "create_instance_profile", Tags=self.stack.tag_list)
        return [made, self._put_role()]

    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        steps: list[Instruction] = []
        if "tags" in changed:
            steps.append(self._call("tag instance profile", "tag_instance_profile", Tags=self.stack.tag_list))
        if "roles" in changed:
            steps += [*self._take_roles(found), self._put_role()]
        return steps

    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]:
        return [*self._take_roles(found), self._call("delete instance profile", "delete_instance_profile")]

    def _put_role(self) -> Instruction:
        what = "put the role into instance profile"
        return self._call(what, "add_role_to_instance_profile", passing=("cannot be found",), RoleName=self.name)

    def _take_roles(self, found: Found) -> list[Instruction]:
        """A profile holds one role at most."""
        what = "take the role out of instance profile"
        return [
            self._call(what, "remove_role_from_instance_profile", RoleName=name) for name in found.properties["roles"]
        ]

    def _call(self, what: str, operation: str, passing: tuple[str, ...] = (), **parameters: object) -> Instruction:
        parameters = {"InstanceProfileName": self.name, **parameters}
        return ApiCall(f"{what} {self.name}", "iam", operation, parameters, passing=passing)
