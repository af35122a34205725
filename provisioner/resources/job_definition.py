"""The job definition: the runner's arguments as `Ref::` parameters, retry rules, roles, log group.

The image's entry point is the runner, so that image and definition can be swapped independently.
"""

from __future__ import annotations

from engine.aws.retry_rules import RETRY_STRATEGY
from provisioner.clients import Document
from provisioner.models import ApiCall, Instruction
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack

RUNNER_PARAMETERS = ("store", "submission", "payload", "options")
"""What the engine fills in at each SubmitJob; the runner reads "none" as not given."""


class JobDefinition:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = stack.job_definition

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        """A new revision only when the content changed; older ones stay for the jobs that use them."""
        wanted = self._desired(spec)
        revisions = sorted(self._read(remote), key=lambda found: int(found["revision"]))
        if revisions and _covers(revisions[-1], wanted):
            return []
        return [ApiCall(f"register job definition {self._name}", "batch", "register_job_definition", wanted)]

    def removal(self, remote: RemoteState) -> list[Instruction]:
        names = [f"{self._name}:{found['revision']}" for found in self._read(remote)]
        return [
            ApiCall(
                f"deregister job definition {name}",
                "batch",
                "deregister_job_definition",
                {"jobDefinition": name},
            )
            for name in names
        ]

    def _read(self, remote: RemoteState) -> list[Document]:
        return remote.list(
            "batch",
            "describe_job_definitions",
            "jobDefinitions",
            jobDefinitionName=self._name,
            status="ACTIVE",
        )

    def _desired(self, spec: ProvisionSpec) -> Document:
        return {
            "jobDefinitionName": self._name,
            "type": "container",
            "platformCapabilities": ["EC2"],
            "parameters": dict.fromkeys(RUNNER_PARAMETERS, "none"),
            "containerProperties": self._container(spec),
            "retryStrategy": RETRY_STRATEGY,
            "timeout": {"attemptDurationSeconds": spec.job_timeout * 60},
            "propagateTags": True,
            "tags": self._stack.tags,
        }

    def _container(self, spec: ProvisionSpec) -> Document:
        stack = self._stack
        return {
            "image": spec.image,
            "command": [part for name in RUNNER_PARAMETERS for part in (f"--{name}", f"Ref::{name}")],
            "jobRoleArn": stack.iam_arn("role", stack.job_role),
            "executionRoleArn": stack.iam_arn("role", stack.execution_role),
            "resourceRequirements": [
                {"type": "VCPU", "value": str(spec.vcpus)},
                {"type": "MEMORY", "value": str(spec.container_memory)},
            ],
            # Batch sets no region in a container on EC2, and the users' own boto3 code wants one.
            "environment": [{"name": "AWS_DEFAULT_REGION", "value": stack.region}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": stack.log_group, "awslogs-region": stack.region},
            },
        }


def _covers(current: object, wanted: object) -> bool:
    """Whether `current` has everything `wanted`: AWS adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(current, dict) and all(
            key in current and _covers(current[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(current, list) and len(current) == len(wanted) and all(map(_covers, current, wanted))
    # AWS may answer a retry rule's action in another case than it was given.
    return current == wanted or (wanted in ("RETRY", "EXIT") and str(current).upper() == wanted)
