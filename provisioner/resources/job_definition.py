"""The job definition: the runner's arguments as `Ref::` parameters, retry rules, roles, log group.

The image's entry point is the runner, so that image and definition can be swapped independently.
"""

from __future__ import annotations

from typing import Final

from container.batch_job_protocol import COMMAND, PARAMETER_DEFAULTS
from engine.aws.retry_rules import RETRY_STRATEGY
from provisioner.clients import Document
from provisioner.plan.model import LIVING_STATES, ApiCall, Instruction, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

IMAGE: Final = Variable("image with its digest")
NOBODY: Final = "65534:65534"
NEWS_OF_IAM: Final = ("role", "Role")
"""In the errors of a registration that came before Batch had heard of the roles."""

MANAGED: Final[tuple[str, ...]] = (
    "type",
    "platformCapabilities",
    "parameters",
    "retryStrategy",
    "timeout",
    "propagateTags",
)
CONTAINER: Final = (
    "image",
    "command",
    "jobRoleArn",
    "executionRoleArn",
    "resourceRequirements",
    "environment",
    "logConfiguration",
    "user",
)
"""What of a definition, and of its containerProperties, is ours to say."""


class JobDefinition(Resource):
    kind = "job definition"
    needs = ("IAM role", "log group")

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.job_definition)

    @property
    def arn(self) -> str:
        return self.stack.arn("batch", f"job-definition/{self.name}")

    @property
    def remove_command(self) -> str:
        return f"aws batch deregister-job-definition --job-definition {self.name} --region {self.stack.region}"

    def read(self, remote: RemoteState) -> Found | None:
        revisions = self._revisions(remote)
        if not revisions:
            return None
        newest = revisions[-1]
        properties = {
            "tags": self.stack.ours_of(newest.get("tags", {})),
            **{key: newest[key] for key in MANAGED if key in newest},
            "containerProperties": {key: one for key, one in newest["containerProperties"].items() if key in CONTAINER},
        }
        spare = {"revisions": self._unused(revisions, remote)}
        return Found(_in_order(properties), newest["status"], f"revision {newest['revision']}", spare)

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        return _in_order(definition(self.stack, spec))

    def create(self, desired: Document) -> list[Instruction]:
        parameters = {"jobDefinitionName": self.name, **desired}
        what = f"register job definition {self.name}"
        return [ApiCall(what, "batch", "register_job_definition", parameters, passing=NEWS_OF_IAM)]

    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """A new revision; older ones go unless a living job runs by them."""
        return [*self.create(desired), *(self._deregistration(one) for one in found.kept["revisions"])]

    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]:
        return [self._deregistration(revision) for revision in self._revisions(remote)]

    def _revisions(self, remote: RemoteState) -> list[Document]:
        found = remote.list(
            "batch", "describe_job_definitions", "jobDefinitions", jobDefinitionName=self.name, status="ACTIVE"
        )
        return sorted(found, key=lambda one: int(one["revision"]))

    def _unused(self, revisions: list[Document], remote: RemoteState) -> list[Document]:
        used = _definitions_in_use(self.stack.job_queue, remote)
        return [one for one in revisions if one["jobDefinitionArn"] not in used]

    def _deregistration(self, revision: Document) -> Instruction:
        name = f"{self.name}:{revision['revision']}"
        what = f"deregister job definition {name}"
        return ApiCall(what, "batch", "deregister_job_definition", {"jobDefinition": name})


def definition(stack: Stack, spec: ProvisionSpec) -> Document:
    """What RegisterJobDefinition is given, but the name."""
    return {
        "type": "container",
        "platformCapabilities": ["EC2"],
        "parameters": PARAMETER_DEFAULTS,
        "containerProperties": _container(stack, spec),
        "retryStrategy": RETRY_STRATEGY,
        "timeout": {"attemptDurationSeconds": spec.job_timeout * 60},
        "propagateTags": True,
        "tags": stack.tags,
    }


def _container(stack: Stack, spec: ProvisionSpec) -> Document:
    return {
        "image": spec.image or IMAGE,
        "command": list(COMMAND),
        "jobRoleArn": stack.iam_arn("role", stack.job_role),
        "executionRoleArn": stack.iam_arn("role", stack.execution_role),
        "resourceRequirements": _requirements(spec),
        # Batch sets no region in a container on EC2, and the users' own boto3 code wants one.
        "environment": [{"name": "AWS_DEFAULT_REGION", "value": stack.region}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": stack.log_group, "awslogs-region": stack.region},
        },
        "user": NOBODY,
    }


def _requirements(spec: ProvisionSpec) -> list[Document]:
    asked = {"VCPU": spec.vcpus, "MEMORY": spec.container_memory, "GPU": spec.gpus}
    return [{"type": kind, "value": str(value)} for kind, value in asked.items() if value]


def _definitions_in_use(queue: str, remote: RemoteState) -> set[str]:
    """ARNs with revisions, of jobs that have not ended. A queue that is being deleted may be gone any moment."""
    queues = remote.list("batch", "describe_job_queues", "jobQueues", jobQueues=[queue])
    if not any(entry["status"] not in ("DELETING", "DELETED") for entry in queues):
        return set()
    jobs = [
        job
        for state in LIVING_STATES
        for job in remote.list("batch", "list_jobs", "jobSummaryList", jobQueue=queue, jobStatus=state)
    ]
    return {str(job.get("jobDefinition", "")) for job in jobs}


def _in_order(document: Document) -> Document:
    """AWS may answer lists of named things in an order of its own, and rules in another case."""
    container = dict(document["containerProperties"])
    for key, by in (("resourceRequirements", "type"), ("environment", "name")):
        container[key] = sorted(container.get(key, []), key=lambda one: str(one[by]))
    log = container.get("logConfiguration", {})
    container["logConfiguration"] = {key: log[key] for key in ("logDriver", "options") if key in log}
    return {**document, "containerProperties": container, "retryStrategy": _upper_case(document["retryStrategy"])}


def _upper_case(strategy: Document) -> Document:
    rules = [{**rule, "action": str(rule["action"]).upper()} for rule in strategy.get("evaluateOnExit", [])]
    return {**strategy, "evaluateOnExit": rules}
