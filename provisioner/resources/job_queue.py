"""The job queue, in front of the one compute environment."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.models import ApiCall, Instruction, WaitUntil
from provisioner.remote import RemoteState
from provisioner.resources import GONE, READY, SETTLED
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack


class JobQueue:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = stack.job_queue

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        found = self._read(remote)
        if found is None:
            return [self._creation(), self._wait(READY)]
        return [] if found["status"] == "VALID" else [self._wait(READY)]

    def removal(self, remote: RemoteState) -> list[Instruction]:
        """AWS deletes only a disabled queue, and ends its jobs itself."""
        if self._read(remote) is None:
            return []
        return [
            self._change("disable", "update_job_queue", state="DISABLED"),
            self._wait(SETTLED),
            self._change("delete", "delete_job_queue"),
            self._wait(GONE),
        ]

    def _read(self, remote: RemoteState) -> Document | None:
        found = remote.list("batch", "describe_job_queues", "jobQueues", jobQueues=[self._name])
        return next((entry for entry in found if entry["status"] != "DELETED"), None)

    def _creation(self) -> Instruction:
        environment = self._stack.arn("batch", f"compute-environment/{self._stack.compute_environment}")
        return ApiCall(
            f"create job queue {self._name}",
            "batch",
            "create_job_queue",
            {
                "jobQueueName": self._name,
                "state": "ENABLED",
                "priority": 1,
                "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": environment}],
                "tags": self._stack.tags,
            },
        )

    def _change(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(
            f"{what} job queue {self._name}",
            "batch",
            operation,
            {"jobQueue": self._name, **parameters},
        )

    def _wait(self, statuses: frozenset[str]) -> Instruction:
        return WaitUntil(
            f"wait until job queue {self._name} is {' or '.join(sorted(statuses)) or 'gone'}",
            "batch",
            "describe_job_queues",
            {"jobQueues": [self._name]},
            "jobQueues",
            statuses,
        )
