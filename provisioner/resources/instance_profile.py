"""Instance profile by which the compute environment's instances get their role."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.resources.role import NO_SUCH
from provisioner.stack.naming import Stack, from_tag_list
from provisioner.stack.spec import ProvisionSpec


class InstanceProfile(Resource):
    """Instance profile of the name of its one role; one of another name is only removed."""

    kind = ResourceKind.INSTANCE_PROFILE
    needs = (ResourceKind.ROLE,)

    def __init__(self, stack: Stack, name: str = "") -> None:
        super().__init__(stack, name or stack.instance_role)

    @property
    def arn(self) -> str:
        """ARN of the profile, which has no region."""
        return self.stack.iam_arn("instance-profile", self.name)

    @property
    def remove_command(self) -> str:
        """AWS CLI commands that take out the role and delete the profile."""
        flag = f"--instance-profile-name {self.name}"
        taken = f"aws iam remove-role-from-instance-profile {flag} --role-name {self.name}"
        return f"{taken}; aws iam delete-instance-profile {flag}"

    def is_desired(self, spec: ProvisionSpec) -> bool:
        """True where there are instances."""
        return not spec.fargate

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Profile with the names of its roles."""
        found = remote.get("iam", "get_instance_profile", missing=NO_SUCH, InstanceProfileName=self.name)
        if found is None:
            return None
        profile = found["InstanceProfile"]
        tags = self.stack.ours_of(from_tag_list(profile.get("Tags", [])))
        return ObservedResource({"tags": tags, "roles": [role["RoleName"] for role in profile["Roles"]]})

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Profile that holds the instances' role."""
        return {"tags": self.stack.tags, "roles": [self.name]}

    def create(self, desired: Document) -> list[Instruction]:
        """Creation, then the role is put in."""
        made = self._call("create instance profile", "create_instance_profile", Tags=self.stack.tag_list)
        return [made, self._put_role()]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Tagging, and the exchange of a wrong role."""
        steps: list[Instruction] = []
        if "tags" in changed:
            steps.append(self._call("tag instance profile", "tag_instance_profile", Tags=self.stack.tag_list))
        if "roles" in changed:
            steps += [*self._take_roles(found), self._put_role()]
        return steps

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deletion, after its role was taken out: IAM deletes no profile with one."""
        return [*self._take_roles(found), self._call("delete instance profile", "delete_instance_profile")]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Instance profile without tags: CloudFormation can't tag one."""
        return [("AWS::IAM::InstanceProfile", {"InstanceProfileName": self.name, "Roles": desired["roles"]})]

    def _put_role(self) -> Instruction:
        what = "put the role into instance profile"
        return self._call(what, "add_role_to_instance_profile", transient=("cannot be found",), RoleName=self.name)

    def _take_roles(self, found: ObservedResource) -> list[Instruction]:
        """A profile holds one role at most."""
        what = "take the role out of instance profile"
        return [
            self._call(what, "remove_role_from_instance_profile", RoleName=name) for name in found.properties["roles"]
        ]

    def _call(self, what: str, operation: str, transient: tuple[str, ...] = (), **parameters: object) -> Instruction:
        parameters = {"InstanceProfileName": self.name, **parameters}
        return ApiCall(f"{what} {self.name}", "iam", operation, parameters, transient=transient)
