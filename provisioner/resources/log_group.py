"""The CloudWatch log group of our jobs, apart from the account-wide /aws/batch/job, with a retention."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.plan.model import ApiCall, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

RETENTION_DAYS: Final = 14


class LogGroup(Resource):
    kind = "log group"

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.log_group)

    @property
    def arn(self) -> str:
        return self.stack.arn("logs", f"log-group:{self.name}")

    @property
    def remove_command(self) -> str:
        return f"aws logs delete-log-group --log-group-name {self.name} --region {self.stack.region}"

    def read(self, remote: RemoteState) -> Found | None:
        groups = remote.list("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=self.name)
        found = next((group for group in groups if group["logGroupName"] == self.name), None)
        if found is None:
            return None
        tags = remote.get("logs", "list_tags_for_resource", missing="ResourceNotFoundException", resourceArn=self.arn)
        properties = {
            "tags": self.stack.ours_of(tags["tags"] if tags else {}),
            "retentionInDays": found.get("retentionInDays"),
        }
        return Found(properties, detail=_how_long(found.get("retentionInDays")))

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        return {"tags": self.stack.tags, "retentionInDays": RETENTION_DAYS}

    def create(self, desired: Document) -> list[Instruction]:
        return [self._call("create log group", "create_log_group", tags=self.stack.tags), self._retention()]

    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        steps: list[Instruction] = []
        if "tags" in changed:
            parameters = {"resourceArn": self.arn, "tags": self.stack.tags}
            steps.append(ApiCall(f"tag log group {self.name}", "logs", "tag_resource", parameters))
        if "retentionInDays" in changed:
            steps.append(self._retention())
        return steps

    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]:
        return [self._call("delete log group", "delete_log_group")]

    def _retention(self) -> Instruction:
        what = f"keep for {RETENTION_DAYS} days what is in log group"
        return self._call(what, "put_retention_policy", retentionInDays=RETENTION_DAYS)

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self.name}", "logs", operation, {"logGroupName": self.name, **parameters})


def _how_long(days: int | None) -> str:
    return "kept for ever" if days is None else f"kept for {days} days"
