"""Security group of the instances: everything out, nothing in."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction, StackOutput, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack, as_tag_list, from_tag_list
from provisioner.stack.spec import ProvisionSpec

ID: Final = Variable("security group id")
ANY_VPC: Final = ""
DESCRIPTION: Final = "Instances of scaler-batch jobs: no way in"


class SecurityGroup(Resource):
    """Security group of one VPC: a stack that moved has two of the name until the old one is deleted."""

    kind = ResourceKind.SECURITY_GROUP

    def __init__(self, stack: Stack, vpc_id: str = ANY_VPC) -> None:
        super().__init__(stack, stack.instances)
        self._vpc_id = vpc_id

    @property
    def key(self) -> str:
        """Name with the VPC: there may be several of the name."""
        return f"{super().key} of {self._vpc_id}"

    @property
    def arn(self) -> str:
        """ARN with the name in the place of the id, which only AWS knows."""
        return self.stack.arn("ec2", f"security-group/{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI command that looks up the id and deletes the group."""
        ids = "aws ec2 describe-security-groups --query SecurityGroups[].GroupId --output text"
        found = f"{ids} --filters Name=group-name,Values={self.name} --region {self.stack.region}"
        return f"aws ec2 delete-security-group --region {self.stack.region} --group-id $({found})"

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Group with the number of its ingress rules; `kept` has its id and those rules."""
        group = self._group(remote)
        if group is None:
            return None
        tags = self.stack.ours_of(from_tag_list(group.get("Tags", [])))
        ingress = group.get("IpPermissions", [])
        properties = {"tags": tags, "waysIn": len(ingress), "vpcId": self._vpc_id}
        return ObservedResource(properties, detail=group["GroupId"], kept={"id": group["GroupId"], "waysIn": ingress})

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Group of the VPC without an ingress rule."""
        return {"tags": self.stack.tags, "waysIn": 0, "vpcId": self._vpc_id}

    def create(self, desired: Document) -> list[Instruction]:
        """Creation; its id becomes the variable `ID`."""
        parameters = {
            "GroupName": self.name,
            "Description": DESCRIPTION,
            "VpcId": self._vpc_id,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": self.stack.tag_list}],
        }
        output = StackOutput(ID.name, ("GroupId",))
        return [ApiCall(f"create security group {self.name}", "ec2", "create_security_group", parameters, output)]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Tagging, and the removal of every ingress rule."""
        steps: list[Instruction] = []
        if "tags" in changed:
            parameters = {"Resources": [found.kept["id"]], "Tags": self.stack.tag_list}
            steps.append(ApiCall(f"tag security group {self.name}", "ec2", "create_tags", parameters))
        if "waysIn" in changed:
            parameters = {"GroupId": found.kept["id"], "IpPermissions": found.kept["waysIn"]}
            what = f"close the ways into security group {self.name}"
            steps.append(ApiCall(what, "ec2", "revoke_security_group_ingress", parameters))
        return steps

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deletion, retried while instances that just ended hold their network interfaces, which may be minutes."""
        parameters = {"GroupId": found.kept["id"]}
        what = f"delete security group {self.name}"
        return [ApiCall(what, "ec2", "delete_security_group", parameters)]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Security group without an ingress rule."""
        properties = {
            "GroupName": self.name,
            "GroupDescription": DESCRIPTION,
            "VpcId": desired["vpcId"],
            "Tags": as_tag_list(desired["tags"]),
        }
        return [("AWS::EC2::SecurityGroup", properties)]

    def group_id(self, remote: RemoteState) -> str | Variable:
        """Id of the living group, or the variable that its creation fills."""
        group = self._group(remote)
        return str(group["GroupId"]) if group else ID

    def _group(self, remote: RemoteState) -> Document | None:
        return next(
            (group for group in groups_of(self.stack, remote) if self._vpc_id in (ANY_VPC, group["VpcId"])), None
        )


def groups_of(stack: Stack, remote: RemoteState) -> list[Document]:
    """Groups of our name, in whatever VPC."""
    condition = {"Name": "group-name", "Values": [stack.instances]}
    return remote.list("ec2", "describe_security_groups", "SecurityGroups", Filters=[condition])
