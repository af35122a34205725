"""CloudWatch log group of our jobs, apart from the account-wide /aws/batch/job, with a retention."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack, as_tag_list
from provisioner.stack.spec import ProvisionSpec

RETENTION_DAYS: Final = 14


class LogGroup(Resource):
    """Log group of a stack."""

    kind = ResourceKind.LOG_GROUP

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.log_group)

    @property
    def arn(self) -> str:
        """ARN without the star that some actions want behind it."""
        return self.stack.arn("logs", f"log-group:{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI command that deletes the group with its logs."""
        return f"aws logs delete-log-group --log-group-name {self.name} --region {self.stack.region}"

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Group with its retention in days, None for ever."""
        groups = remote.list("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=self.name)
        found = next((group for group in groups if group["logGroupName"] == self.name), None)
        if found is None:
            return None
        tags = remote.get("logs", "list_tags_for_resource", missing="ResourceNotFoundException", resourceArn=self.arn)
        properties = {
            "tags": self.stack.ours_of(tags["tags"] if tags else {}),
            "retentionInDays": found.get("retentionInDays"),
            "kmsKeyId": found.get("kmsKeyId"),
        }
        return ObservedResource(properties, detail=_how_long(found.get("retentionInDays")))

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Group whose events are kept for `RETENTION_DAYS`, under the stack's key if it has one."""
        return {"tags": self.stack.tags, "retentionInDays": RETENTION_DAYS, **self._key}

    def takes_key(self, found: ObservedResource | None, desired: Document) -> bool:
        """True before it has the key: AWS refuses one whose policy doesn't let CloudWatch Logs use it."""
        key = desired.get("kmsKeyId")
        return key is not None and (found is None or found.properties["kmsKeyId"] != key)

    def create(self, desired: Document) -> list[Instruction]:
        """Creation, then the retention."""
        made = self._call("create log group", "create_log_group", tags=self.stack.tags, **self._key)
        return [made, self._retention()]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Tagging, the retention, and the key of what is written from now on."""
        steps: list[Instruction] = []
        if "tags" in changed:
            parameters = {"resourceArn": self.arn, "tags": self.stack.tags}
            steps.append(ApiCall(f"tag log group {self.name}", "logs", "tag_resource", parameters))
        if "retentionInDays" in changed:
            steps.append(self._retention())
        if "kmsKeyId" in changed:
            steps.append(self._call("encrypt log group", "associate_kms_key", **self._key))
        return steps

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deletion with all logs."""
        return [self._call("delete log group", "delete_log_group")]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Log group."""
        properties = {
            "LogGroupName": self.name,
            "RetentionInDays": desired["retentionInDays"],
            **({"KmsKeyId": desired["kmsKeyId"]} if "kmsKeyId" in desired else {}),
            "Tags": as_tag_list(desired["tags"]),
        }
        return [("AWS::Logs::LogGroup", properties)]

    @property
    def _key(self) -> Document:
        return {} if self.stack.kms_key is None else {"kmsKeyId": self.stack.kms_key}

    def _retention(self) -> Instruction:
        what = f"keep for {RETENTION_DAYS} days what is in log group"
        return self._call(what, "put_retention_policy", retentionInDays=RETENTION_DAYS)

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self.name}", "logs", operation, {"logGroupName": self.name, **parameters})


def _how_long(days: int | None) -> str:
    return "kept for ever" if days is None else f"kept for {days} days"
