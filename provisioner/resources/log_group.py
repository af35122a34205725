"""The CloudWatch log group of our jobs, apart from the account-wide /aws/batch/job, with a retention."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.models import ApiCall, Instruction
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack

RETENTION_DAYS = 14


class LogGroup:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = stack.log_group

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        found = self._read(remote)
        changes: list[Instruction] = []
        if found is None:
            changes.append(self._call("create log group", "create_log_group", tags=self._stack.tags))
        if found is None or found.get("retentionInDays") != RETENTION_DAYS:
            what = f"keep for {RETENTION_DAYS} days what is in log group"
            changes.append(self._call(what, "put_retention_policy", retentionInDays=RETENTION_DAYS))
        return changes

    def removal(self, remote: RemoteState) -> list[Instruction]:
        return [self._call("delete log group", "delete_log_group")] if self._read(remote) else []

    def _read(self, remote: RemoteState) -> Document | None:
        groups = remote.list("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=self._name)
        return next((group for group in groups if group["logGroupName"] == self._name), None)

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self._name}", "logs", operation, {"logGroupName": self._name, **parameters})
