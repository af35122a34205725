"""Launch template of the instances: encrypted gp3 disks, metadata by IMDSv2 and for root alone."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.field_changes import differences
from provisioner.plan.model import ApiCall, Instruction, StackOutput, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.resources.user_data import user_data
from provisioner.stack.naming import Stack, as_tag_list, from_tag_list
from provisioner.stack.spec import ProvisionSpec

VERSION: Final = Variable("launch template version")
FIRST_VERSION: Final = "1"
MISSING: Final = "InvalidLaunchTemplateName.NotFoundException"


class LaunchTemplate(Resource):
    """Launch template, whose default version is the one that counts."""

    kind = ResourceKind.LAUNCH_TEMPLATE

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.instances)

    @property
    def arn(self) -> str:
        """ARN with the name in the place of the id, which only AWS knows."""
        return self.stack.arn("ec2", f"launch-template/{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI command that deletes the template."""
        flag = f"--launch-template-name {self.name}"
        return f"aws ec2 delete-launch-template {flag} --region {self.stack.region}"

    def is_desired(self, spec: ProvisionSpec) -> bool:
        """True where there are instances."""
        return not spec.fargate

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Template with the data of its default version; `kept` has its id and that version."""
        found = remote.get("ec2", "describe_launch_templates", missing=MISSING, LaunchTemplateNames=[self.name])
        if found is None or not found["LaunchTemplates"]:
            return None
        template = found["LaunchTemplates"][0]
        tags = self.stack.ours_of(from_tag_list(template.get("Tags", [])))
        version = str(template["DefaultVersionNumber"])
        kept = {"id": template["LaunchTemplateId"], "version": version}
        return ObservedResource({"tags": tags, "data": self._data(remote)}, detail=f"version {version}", kept=kept)

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Template with the data of `template_data`."""
        return {"tags": self.stack.tags, "data": template_data(self.stack, spec)}

    def takes_key(self, found: ObservedResource | None, desired: Document) -> bool:
        """True before its disks have the key: EC2 ends instances at once whose launcher may not use it."""
        key = _key_of(desired["data"])
        return key is not None and (found is None or _key_of(found.properties["data"]) != key)

    def create(self, desired: Document) -> list[Instruction]:
        """Creation with version 1."""
        specification = {"ResourceType": "launch-template", "Tags": self.stack.tag_list}
        return [
            self._call(
                "create launch template",
                "create_launch_template",
                LaunchTemplateData=desired["data"],
                TagSpecifications=[specification],
            )
        ]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Tagging, and a new version that becomes the default."""
        steps: list[Instruction] = []
        if "tags" in changed:
            parameters = {"Resources": [found.kept["id"]], "Tags": self.stack.tag_list}
            steps.append(ApiCall(f"tag launch template {self.name}", "ec2", "create_tags", parameters))
        if "data" in changed:
            steps += self._new_version(desired["data"])
        return steps

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deletion with all versions."""
        return [self._call("delete launch template", "delete_launch_template")]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Launch template with tags of its own."""
        properties = {
            "LaunchTemplateName": self.name,
            "LaunchTemplateData": desired["data"],
            "TagSpecifications": [{"ResourceType": "launch-template", "Tags": as_tag_list(desired["tags"])}],
        }
        return [("AWS::EC2::LaunchTemplate", properties)]

    def version_for(self, spec: ProvisionSpec, remote: RemoteState) -> str | Variable:
        """Version that holds what the spec asks for: the living one, or the one that will be made."""
        found = self.read(remote)
        if found is None:
            return FIRST_VERSION
        if differences(found.properties["data"], self.desired(spec, remote)["data"]):
            return VERSION
        return str(found.kept["version"])

    def _new_version(self, data: Document) -> list[Instruction]:
        made = ApiCall(
            f"make a new version of launch template {self.name}",
            "ec2",
            "create_launch_template_version",
            {"LaunchTemplateName": self.name, "LaunchTemplateData": data},
            StackOutput(VERSION.name, ("LaunchTemplateVersion", "VersionNumber")),
        )
        return [made, self._call("use it as the default of", "modify_launch_template", DefaultVersion=VERSION)]

    def _data(self, remote: RemoteState) -> Document:
        found = remote.get(
            "ec2",
            "describe_launch_template_versions",
            missing=MISSING,
            LaunchTemplateName=self.name,
            Versions=["$Default"],
        )
        data: Document = found["LaunchTemplateVersions"][0]["LaunchTemplateData"] if found else {}
        return {**data, "TagSpecifications": [one for one in data.get("TagSpecifications", []) if _is_of_disks(one)]}

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        parameters = {"LaunchTemplateName": self.name, **parameters}
        return ApiCall(f"{what} {self.name}", "ec2", operation, parameters)


def _is_of_disks(specification: Document) -> bool:
    """The template's own tags are not the disks'."""
    return bool(specification["ResourceType"] == "volume")


def _key_of(data: Document) -> str | None:
    disks = (one.get("Ebs", {}) for one in data.get("BlockDeviceMappings", []))
    return next((key for disk in disks if (key := disk.get("KmsKeyId"))), None)


def template_data(stack: Stack, spec: ProvisionSpec) -> Document:
    """Data of a version.

    Jobs get their credentials from ECS; the instance's own are none of theirs. One hop keeps these from containers with
    a network of their own, but Batch's have the instance's: for them is the user data. The root volume is the only one.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-iam-roles.html
    """
    key = {} if stack.kms_key is None else {"KmsKeyId": stack.kms_key}
    disk = {"Encrypted": True, **key, "VolumeType": "gp3", "VolumeSize": spec.instance_disk_gib}
    return {
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {**disk, "DeleteOnTermination": True}}],
        "TagSpecifications": [{"ResourceType": "volume", "Tags": stack.tag_list}],
        "UserData": user_data(),
    }
