"""The security group of the instances: everything out, nothing in."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.plan.model import ApiCall, Instruction, StackOutput, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import Stack, from_tag_list
from provisioner.stack.spec import ProvisionSpec

ID: Final = Variable("security group id")
ANY_VPC: Final = ""
DESCRIPTION: Final = "Instances of scaler-batch jobs: no way in"


class SecurityGroup(Resource):
    """The one of a VPC: a stack that moved has two of the name until the old one is swept."""

    kind = "security group"

    def __init__(self, stack: Stack, vpc_id: str = ANY_VPC) -> None:
        super().__init__(stack, stack.instances)
        self._vpc_id = vpc_id

    @property
    def key(self) -> str:
        return f"{super().key} of {self._vpc_id}"

    @property
    def arn(self) -> str:
        return self.stack.arn("ec2", f"security-group/{self.name}")

    @property
    def remove_command(self) -> str:
        ids = "aws ec2 describe-security-groups --query SecurityGroups[].GroupId --output text"
        found = f"{ids} --filters Name=group-name,Values={self.name} --region {self.stack.region}"
        return f"aws ec2 delete-security-group --region {self.stack.region} --group-id $({found})"

    def read(self, remote: RemoteState) -> Found | None:
        group = self._group(remote)
        if group is None:
            return None
        tags = self.stack.ours_of(from_tag_list(group.get("Tags", [])))
        ways_in = group.get("IpPermissions", [])
        properties = {"tags": tags, "waysIn": len(ways_in), "vpcId": self._vpc_id}
        return Found(properties, detail=group["GroupId"], kept={"id": group["GroupId"], "waysIn": ways_in})

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        return {"tags": self.stack.tags, "waysIn": 0, "vpcId": self._vpc_id}

    def create(self, desired: Document) -> list[Instruction]:
        parameters = {
            "GroupName": self.name,
            "Description": DESCRIPTION,
            "VpcId": self._vpc_id,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": self.stack.tag_list}],
        }
        output = StackOutput(ID.name, ("GroupId",))
        return [ApiCall(f"create security group {self.name}", "ec2", "create_security_group", parameters, output)]

    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        steps: list[Instruction] = []
        if "tags" in changed:
            parameters = {"Resources": [found.kept["id"]], "Tags": self.stack.tag_list}
            steps.append(ApiCall(f"tag security group {self.name}", "ec2", "create_tags", parameters))
        if "waysIn" in changed:
            parameters = {"GroupId": found.kept["id"], "IpPermissions": found.kept["waysIn"]}
            what = f"close the ways into security group {self.name}"
            steps.append(ApiCall(what, "ec2", "revoke_security_group_ingress", parameters))
        return steps

    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]:
        """Instances that just ended may hold their network interfaces for minutes."""
        parameters = {"GroupId": found.kept["id"]}
        what = f"delete security group {self.name}"
        return [ApiCall(what, "ec2", "delete_security_group", parameters, passing=("DependencyViolation",))]

    def group_id(self, remote: RemoteState) -> str | Variable:
        group = self._group(remote)
        return str(group["GroupId"]) if group else ID

    def _group(self, remote: RemoteState) -> Document | None:
        return next(
            (group for group in groups_of(self.stack, remote) if self._vpc_id in (ANY_VPC, group["VpcId"])), None
        )


def groups_of(stack: Stack, remote: RemoteState) -> list[Document]:
    """All groups of our name, in whatever VPC."""
    condition = {"Name": "group-name", "Values": [stack.instances]}
    return remote.list("ec2", "describe_security_groups", "SecurityGroups", Filters=[condition])
