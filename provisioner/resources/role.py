"""IAM role of ours with its one inline policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.policies import Policy, as_json
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack, as_tag_list, from_tag_list
from provisioner.stack.spec import ProvisionSpec

POLICY_NAME: Final = "scaler-batch"
NO_SUCH: Final = "NoSuchEntity"


class Role(Resource):
    """IAM role with a trust policy and one inline policy.

    `policy` is a function of the spec, because what a role may do depends on it (the image's registry).
    """

    kind = ResourceKind.ROLE
    exact = frozenset({"trust", "policy"})

    def __init__(self, stack: Stack, name: str, trust: Policy, policy: Callable[[ProvisionSpec], Policy]) -> None:
        super().__init__(stack, name)
        self._trust = trust
        self._policy = policy

    @property
    def arn(self) -> str:
        """ARN of the role, which has no region."""
        return self.stack.iam_arn("role", self.name)

    @property
    def remove_command(self) -> str:
        """AWS CLI commands that delete the inline policy and the role."""
        policy = f"aws iam delete-role-policy --role-name {self.name} --policy-name {POLICY_NAME}"
        return f"{policy}; aws iam delete-role --role-name {self.name}"

    def is_desired(self, spec: ProvisionSpec) -> bool:
        """True for the containers' roles; for the instances' where there are instances."""
        return not spec.fargate or self.name != self.stack.instance_role

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Role with its trust policy, permissions boundary and our inline policy."""
        found = remote.get("iam", "get_role", missing=NO_SUCH, RoleName=self.name)
        if found is None:
            return None
        role = found["Role"]
        return ObservedResource(
            {
                "tags": self.stack.ours_of(from_tag_list(role.get("Tags", []))),
                "trust": role["AssumeRolePolicyDocument"],
                "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                "policy": self._current(remote),
            }
        )

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Role with the policies of `provisioner.policies`, bounded if the spec has a boundary."""
        return {
            "tags": self.stack.tags,
            "trust": self._trust,
            "permissionsBoundary": spec.permissions_boundary,
            "policy": self._policy(spec),
        }

    def create(self, desired: Document) -> list[Instruction]:
        """Creation with the boundary, then the inline policy."""
        boundary = desired["permissionsBoundary"]
        made = self._call(
            "create role",
            "create_role",
            AssumeRolePolicyDocument=as_json(self._trust),
            Tags=self.stack.tag_list,
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
        return [made, self._put(desired["policy"])]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Calls that write what differs."""
        steps: dict[str, Instruction] = {
            "tags": self._call("tag role", "tag_role", Tags=self.stack.tag_list),
            "trust": self._call(
                "change who may assume role", "update_assume_role_policy", PolicyDocument=as_json(self._trust)
            ),
            "permissionsBoundary": self._bound(desired["permissionsBoundary"]),
            "policy": self._put(desired["policy"]),
        }
        return [step for name, step in steps.items() if name in changed]

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deletion after all of its policies: IAM keeps a role while a policy is on it, whoever put it there."""
        inline = remote.list("iam", "list_role_policies", "PolicyNames", RoleName=self.name)
        attached = remote.list("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=self.name)
        return [
            *(self._call("delete a policy of role", "delete_role_policy", PolicyName=name) for name in inline),
            *(
                self._call("detach a policy from role", "detach_role_policy", PolicyArn=one["PolicyArn"])
                for one in attached
            ),
            self._call("delete role", "delete_role"),
        ]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Role with its inline policy."""
        boundary = desired["permissionsBoundary"]
        properties = {
            "RoleName": self.name,
            "AssumeRolePolicyDocument": desired["trust"],
            "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": desired["policy"]}],
            **({"PermissionsBoundary": boundary} if boundary else {}),
            "Tags": as_tag_list(desired["tags"]),
        }
        return [("AWS::IAM::Role", properties)]

    def _current(self, remote: RemoteState) -> Policy | None:
        found = remote.get("iam", "get_role_policy", missing=NO_SUCH, RoleName=self.name, PolicyName=POLICY_NAME)
        return found and found["PolicyDocument"]

    def _bound(self, boundary: str | None) -> Instruction:
        if boundary is None:
            return self._call("take the permissions boundary off role", "delete_role_permissions_boundary")
        return self._call(
            "put the permissions boundary on role", "put_role_permissions_boundary", PermissionsBoundary=boundary
        )

    def _put(self, policy: Policy) -> Instruction:
        return self._call(
            "write the policy of role", "put_role_policy", PolicyName=POLICY_NAME, PolicyDocument=as_json(policy)
        )

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self.name}", "iam", operation, {"RoleName": self.name, **parameters})
