"""Job definition: the runner's arguments as `Ref::` parameters, retry rules, roles, log group.

The image's entry point is the runner, so that image and definition can be swapped independently.
"""

from __future__ import annotations

from typing import Final

from container.batch_job_wire.protocol import COMMAND, PARAMETER_DEFAULTS
from engine.aws.batch_states import LIVING
from engine.aws.retry_rules import RETRY_STRATEGY
from provisioner.clients import Document
from provisioner.export.intrinsics import capitalized
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, FieldChange, Instruction, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import FileSystem, ProvisionSpec

IMAGE: Final = Variable("image with its digest")
NOBODY: Final = "65534:65534"
IAM_PROPAGATION_ERRORS: Final = ("role", "Role")
"""Parts of the error of a registration that came before the roles had propagated to Batch."""


class JobDefinition(Resource):
    """Job definition, all of whose active revisions belong to the stack."""

    kind = ResourceKind.JOB_DEFINITION
    needs = (ResourceKind.ROLE, ResourceKind.LOG_GROUP)

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.job_definition)

    @property
    def arn(self) -> str:
        """ARN without a revision."""
        return self.stack.arn("batch", f"job-definition/{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI command that deregisters a revision."""
        return f"aws batch deregister-job-definition --job-definition {self.name} --region {self.stack.region}"

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Newest active revision; `kept` has the older and newer ones that no living job runs by."""
        revisions = self._revisions(remote)
        if not revisions:
            return None
        newest = revisions[-1]
        properties = {
            **newest,
            "tags": self.stack.ours_of(newest.get("tags", {})),
        }
        spare = {"revisions": self._unused(revisions, remote)}
        return ObservedResource(_in_order(properties), newest["status"], f"revision {newest['revision']}", spare)

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Definition that RegisterJobDefinition is given, its lists in an order of ours."""
        return _in_order(definition(self.stack, spec, public=spec.fargate and network_of(spec, remote).gives_addresses))

    def compare(self, found: ObservedResource | None, desired: Document) -> tuple[FieldChange, ...]:
        """Changes in which no disk of its own is said, too: one that was found is to go."""
        container = {"ephemeralStorage": None, **desired["containerProperties"]}
        return super().compare(found, {**desired, "containerProperties": container})

    def create(self, desired: Document) -> list[Instruction]:
        """Registration of a revision."""
        parameters = {"jobDefinitionName": self.name, **desired}
        what = f"register job definition {self.name}"
        return [ApiCall(what, "batch", "register_job_definition", parameters, transient=IAM_PROPAGATION_ERRORS)]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Registration of a new revision; older ones go unless a living job runs by them."""
        return [*self.create(desired), *(self._deregistration(one) for one in found.kept["revisions"])]

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deregistration of every active revision."""
        return [self._deregistration(revision) for revision in self._revisions(remote)]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Job definition; a template says nothing of what there is none of."""
        said = {key: one for key, one in desired["containerProperties"].items() if one != []}
        document = capitalized({**desired, "containerProperties": said})
        assert isinstance(document, dict)
        return [("AWS::Batch::JobDefinition", {"JobDefinitionName": self.name, **document})]

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


def definition(stack: Stack, spec: ProvisionSpec, *, public: bool = False) -> Document:
    """Parameters of RegisterJobDefinition without the name; `public` gives jobs on Fargate a public address."""
    return {
        "type": "container",
        "platformCapabilities": ["FARGATE" if spec.fargate else "EC2"],
        "parameters": PARAMETER_DEFAULTS,
        "containerProperties": {
            **_container(stack, spec),
            **(_of_fargate(spec, public=public) if spec.fargate else _of_instances(spec)),
        },
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
        # said even when there are none: what isn't sent stays as it was found
        "volumes": [_volume(one) for one in spec.file_systems],
        "mountPoints": [
            {"sourceVolume": _volume_name(one), "containerPath": one.path, "readOnly": False}
            for one in spec.file_systems
        ],
    }


def _of_instances(spec: ProvisionSpec) -> Document:
    return {"linuxParameters": {"sharedMemorySize": spec.shm_mib}}


def _of_fargate(spec: ProvisionSpec, *, public: bool) -> Document:
    """Fargate gives each job a network and a disk of its own.

    https://docs.aws.amazon.com/batch/latest/userguide/fargate.html
    """
    processor = "ARM64" if spec.platform.endswith("arm64") else "X86_64"
    disk = {"ephemeralStorage": {"sizeInGiB": spec.disk_gib}} if spec.disk_gib else {}
    return {
        "fargatePlatformConfiguration": {"platformVersion": "LATEST"},
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": processor},
        "networkConfiguration": {"assignPublicIp": "ENABLED" if public else "DISABLED"},
        **disk,
    }


def _volume(one: FileSystem) -> Document:
    """https://docs.aws.amazon.com/batch/latest/userguide/efs-volumes.html; access points need the encryption."""
    point = {"authorizationConfig": {"accessPointId": one.access_point}} if one.access_point else {}
    efs = {"fileSystemId": one.id, "transitEncryption": "ENABLED", **point}
    return {"name": _volume_name(one), "efsVolumeConfiguration": efs}


def _volume_name(one: FileSystem) -> str:
    """One file system may be at two paths, each a volume."""
    return f"{one.id}{one.path.replace('/', '-').replace('.', '_')}"


def _requirements(spec: ProvisionSpec) -> list[Document]:
    amounts = {"VCPU": spec.vcpus, "MEMORY": spec.container_memory, "GPU": spec.gpus}
    return [{"type": kind, "value": str(value)} for kind, value in amounts.items() if value]


def _definitions_in_use(queue: str, remote: RemoteState) -> set[str]:
    """ARNs with revisions, of jobs that have not ended. A queue that is being deleted may be gone any moment."""
    queues = remote.list("batch", "describe_job_queues", "jobQueues", jobQueues=[queue])
    if not any(entry["status"] not in ("DELETING", "DELETED") for entry in queues):
        return set()
    return {str(job.get("jobDefinition", "")) for state in LIVING for job in remote.jobs(queue, state)}


def _in_order(document: Document) -> Document:
    """AWS may answer lists of named things in an order of its own, and rules in another case."""
    container = dict(document.get("containerProperties", {}))  # none in one that was registered by ecsProperties
    for key, by in (("resourceRequirements", "type"), ("environment", "name")):
        container[key] = sorted(container.get(key, []), key=lambda one: str(one[by]))
    return {
        **document,
        "containerProperties": container,
        "retryStrategy": _upper_case(document.get("retryStrategy", {})),
    }


def _upper_case(strategy: Document) -> Document:
    rules = [{**rule, "action": str(rule["action"]).upper()} for rule in strategy.get("evaluateOnExit", [])]
    return {**strategy, "evaluateOnExit": rules}
