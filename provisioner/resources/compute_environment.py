"""Managed compute environments on EC2 or Fargate: on demand, and with --spot a Spot one besides.

With Batch's service-linked role and these allocation strategies everything but the name can be updated in place:
https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from provisioner.clients import Document
from provisioner.export.intrinsics import SUBNETS, capitalized, get_att, ref
from provisioner.kinds import ResourceKind
from provisioner.plan.field_changes import differences
from provisioner.plan.model import ApiCall, FieldChange, Instruction, WaitUntil
from provisioner.plan.remote import RemoteState
from provisioner.resources.job_queue import count_running
from provisioner.resources.launch_template import LaunchTemplate
from provisioner.resources.network import network_of
from provisioner.resources.resource import GONE, READY, SETTLED, ObservedResource, Resource, TemplateResource
from provisioner.resources.security_group import SecurityGroup
from provisioner.resources.service_role import service_role_arn
from provisioner.resources.waits import wait_for_environment, wait_for_queue
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

ON_DEMAND: Final = ("EC2", "BEST_FIT_PROGRESSIVE")
SPOT: Final = ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
FARGATE: Final = "FARGATE"
FARGATE_SPOT: Final = "FARGATE_SPOT"
PROPAGATION_ERRORS: Final = (
    "instanceRole",
    "InstanceProfile",
    "instance profile",
    "not authorized",
    "Access denied",
    "AccessDenied",
    "InvalidGroup.NotFound",
    "InvalidLaunchTemplate",
    "launch template",
)
"""Parts of the statusReason of an environment that was made before its roles, security group or template had
propagated to Batch:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""


LONGEST_UPDATE_MINUTES: Final = 7200
NEWER_IMAGE: Final = "UPDATE_AVAILABLE"
"""Status of the system image of an environment that has scaled once, when AWS has a newer one:
https://docs.aws.amazon.com/batch/latest/userguide/managing-ami-versions.html"""

IMAGE_VERSION: Final = "imageVersion"
SCALING: Final = frozenset({"minvCpus", "maxvCpus"})
"""Of computeResources, what AWS changes without touching instances:
https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html"""

REPAIRED: Final = ("instanceRole", "launchTemplate", "subnets", "securityGroupIds")
"""Of computeResources, what names other things of the account: one of them is what an INVALID environment lacks."""

REPLACE_ADVICE: Final = (
    " Making it anew may end the jobs of its queue: correct the reason, wait until they have ended, or give --end-jobs."
)


class ComputeEnvironment(Resource):
    """Managed compute environment of a stack, on demand or with `spot` a Spot one.

    An INVALID one is mended in place, which is AWS's own advice; where that doesn't help it is taken out of the queue's
    order and made anew, unless jobs run, or with `end_jobs` even then. `refresh_ami`: it takes a newer system image.
    https://docs.aws.amazon.com/batch/latest/userguide/invalid_compute_environment.html
    """

    kind = ResourceKind.COMPUTE_ENVIRONMENT
    needs = (
        ResourceKind.ROLE,
        ResourceKind.INSTANCE_PROFILE,
        ResourceKind.SERVICE_ROLE,
        ResourceKind.SECURITY_GROUP,
        ResourceKind.LAUNCH_TEMPLATE,
    )
    permanent = frozenset({"serviceRole", "platform"})
    replaced_with_dependents = True  # AWS deletes no environment under a queue

    def __init__(self, stack: Stack, *, spot: bool = False, end_jobs: bool = False, refresh_ami: bool = False) -> None:
        super().__init__(stack, stack.spot_environment if spot else stack.compute_environment)
        self._spot = spot
        self._end_jobs = end_jobs
        self._refresh_ami = refresh_ami
        self._type, self._strategy = SPOT if spot else ON_DEMAND

    @property
    def arn(self) -> str:
        """ARN of the environment."""
        return self.stack.arn("batch", f"compute-environment/{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI commands that disable and delete the environment."""
        where = f"--compute-environment {self.name} --region {self.stack.region}"
        off = f"aws batch update-compute-environment {where} --state DISABLED"
        return f"{off}; aws batch delete-compute-environment {where}"

    def is_desired(self, spec: ProvisionSpec) -> bool:
        """True for the on-demand environment; for the Spot one when the spec asks for Spot."""
        return spec.spot or not self._spot

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Environment with its computeResources, and Batch's status of it."""
        entries = remote.list(
            "batch", "describe_compute_environments", "computeEnvironments", computeEnvironments=[self.name]
        )
        found = next((entry for entry in entries if entry["status"] != "DELETED"), None)
        if found is None:
            return None
        resources = found.get("computeResources", {})  # none in an unmanaged one
        properties = {
            "tags": self.stack.ours_of(found.get("tags", {})),
            "state": found["state"],
            "serviceRole": found.get("serviceRole"),
            "platform": platform_of(resources),
            "computeResources": _in_order({**resources, "tags": self.stack.ours_of(resources.get("tags", {}))}),
        }
        kept = self._queue_of(remote) if found["status"] == "INVALID" else {}
        advice = f"{self.name}: AWS has a newer system image; `provision --refresh-ami` takes it."
        newer = _has_newer_image(resources)
        return ObservedResource(properties, found["status"], _detail(found), kept, advice if newer else "")

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Enabled environment with the instances that the spec asks for.

        Its `platform` is no property of AWS's: from EC2 to Fargate, or back, leads no update.
        """
        resources = self._on_fargate(spec, remote) if spec.fargate else self._resources(spec, remote)
        return {
            "tags": self.stack.tags,
            "state": "ENABLED",
            "serviceRole": service_role_arn(remote),
            "platform": platform_of(resources),
            "updatePolicy": update_policy(spec),
            "computeResources": _in_order(resources),
        }

    def compare(self, found: ObservedResource | None, desired: Document) -> tuple[FieldChange, ...]:
        """Changes but for the policy of updates, which is sent with each update, and which no creation takes.

        With `refresh_ami` a newer system image is one of them.
        """
        compared = {name: one for name, one in desired.items() if name != "updatePolicy"}
        changes = super().compare(found, {**compared, "computeResources": _said(desired["computeResources"])})
        if self._refresh_ami and found is not None and found.advice:
            return (*changes, FieldChange(IMAGE_VERSION, NEWER_IMAGE, "LATEST"))
        return changes

    def takes_key(self, found: ObservedResource | None, desired: Document) -> bool:
        """True before there are Spot instances, which another role launches."""
        return self._spot and found is None and self.stack.kms_key is not None and desired["platform"] != FARGATE

    def create(self, desired: Document) -> list[Instruction]:
        """Creation and the wait until it is VALID; made anew, once, if its roles had not propagated yet."""
        recreate = (*self._removal(), self._creation(desired))
        return [self._creation(desired), self._wait(READY, transient=PROPAGATION_ERRORS, recreate=recreate)]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Changes in place; AWS takes no change while it is at work on the one before.

        What replaces instances takes as long as their jobs, up to the policy's limit: it is not waited for.
        """
        steps: list[Instruction] = [] if found.state in SETTLED else [self._wait(SETTLED)]
        if "tags" in changed:
            parameters = {"resourceArn": self.arn, "tags": self.stack.tags}
            steps.append(ApiCall(f"tag compute environment {self.name}", "batch", "tag_resource", parameters))
        if found.state == "INVALID":
            return [*steps, *self._repair(found, desired, changed)]
        if changes := _changes(found, desired, changed):
            steps.append(self._change("change", "update_compute_environment", **changes))
        return steps if _replaces_instances(changes) else [*steps, self._wait(READY)]

    def note_of_update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> str:
        """Note about instances that are replaced, and the jobs that end with them."""
        if found.state == "INVALID" or not _replaces_instances(_changes(found, desired, changed)):
            return ""
        minutes = desired["updatePolicy"]["jobExecutionTimeoutMinutes"]
        return f"replaces instances, which AWS does after this; jobs that run for {minutes} more minutes end"

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Disabling and deletion: AWS deletes only what is disabled, and what no queue names any more.

        https://docs.aws.amazon.com/batch/latest/APIReference/API_DeleteComputeEnvironment.html
        """
        if found.state == "DELETING":
            return [self._wait(GONE)]
        busy = found.state not in SETTLED
        return [*([self._wait(SETTLED)] if busy else []), *self._removal()]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Environment without a service role, for which Batch takes its service-linked one.

        A name of our own forbids replacement:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-batch-computeenvironment.html
        """
        resources = {**desired["computeResources"], "subnets": ref(SUBNETS)}
        on_fargate = desired["platform"] == FARGATE
        if not on_fargate:
            version = get_att("LaunchTemplate", "LatestVersionNumber")
            resources["launchTemplate"] = {**resources["launchTemplate"], "version": version}
        properties = {
            "ComputeEnvironmentName": self.name,
            "Type": "MANAGED",
            "State": desired["state"],
            "ReplaceComputeEnvironment": False,
            "ComputeResources": capitalized(resources),
            **({} if on_fargate else {"UpdatePolicy": capitalized(desired["updatePolicy"])}),
            "Tags": desired["tags"],
        }
        return [("AWS::Batch::ComputeEnvironment", properties)]

    def must_settle(self, found: ObservedResource) -> bool:
        """True while it isn't usable. While it is UPDATING it is: jobs start on instances of before or of after."""
        return found.state not in ("VALID", "UPDATING")

    def must_replace(self, found: ObservedResource, changed: frozenset[str]) -> bool:
        """True also for one that goes already, and with `end_jobs` for an INVALID one that is alone in its queue."""
        hopeless = found.state == "INVALID" and self._end_jobs and self._is_alone(found)
        return found.state == "DELETING" or hopeless or super().must_replace(found, changed)

    def _queue_of(self, remote: RemoteState) -> Document:
        """Order of the stack's queue, and how many of its jobs run: some of them may run here."""
        queue = self.stack.job_queue
        queues = remote.list("batch", "describe_job_queues", "jobQueues", jobQueues=[queue])
        found = next((one for one in queues if one["status"] != "DELETED"), None)
        if found is None:
            return {"order": [], "running": 0}
        order = sorted(found["computeEnvironmentOrder"], key=lambda one: int(one["order"]))
        return {"order": [one["computeEnvironment"] for one in order], "running": count_running(remote, queue)}

    def _is_alone(self, found: ObservedResource) -> bool:
        return bool(found.kept["order"] == [self.arn])

    def _repair(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """An update, which makes AWS look again even when nothing differs; then a new one in its place."""
        given = desired["computeResources"]
        changes = _changes(found, desired, changed)
        again = {name: given[name] for name in REPAIRED if name in given} | changes.get("computeResources", {})
        mended = self._change("repair", "update_compute_environment", **{**changes, "computeResources": again})
        advice = "" if self._may_replace(found) else REPLACE_ADVICE
        wait = self._wait(READY, transient=("",), recreate=self._replacement(found, desired))
        return [mended, replace(wait, advice=advice)]

    def _may_replace(self, found: ObservedResource) -> bool:
        return not self._is_alone(found) and (self._end_jobs or not found.kept["running"])

    def _replacement(self, found: ObservedResource, desired: Document) -> tuple[Instruction, ...]:
        """New one in the place of what can't be mended; none where jobs would end with it."""
        if not self._may_replace(found):
            return ()
        order: list[str] = found.kept["order"]
        others = [arn for arn in order if arn != self.arn]
        out, back = (self._reorder(others), self._reorder(order)) if order != others else ((), ())
        return (*out, *self._removal(), self._creation(desired), self._wait(READY), *back)

    def _reorder(self, order: list[str]) -> tuple[Instruction, ...]:
        ordered = [{"order": place, "computeEnvironment": arn} for place, arn in enumerate(order, start=1)]
        queue = self.stack.job_queue
        parameters = {"jobQueue": queue, "computeEnvironmentOrder": ordered}
        what = f"change the environments of job queue {queue}"
        return ApiCall(what, "batch", "update_job_queue", parameters), wait_for_queue(queue, READY)

    def _on_fargate(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        network = network_of(spec, remote)
        return {
            "type": FARGATE_SPOT if self._spot else FARGATE,
            "maxvCpus": spec.max_vcpus,
            "subnets": list(network.subnet_ids),
            "securityGroupIds": [SecurityGroup(self.stack, network.vpc_id).group_id(remote)],
        }

    def _resources(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        network = network_of(spec, remote)
        image = "ECS_AL2023_NVIDIA" if spec.has_gpu_instances else "ECS_AL2023"
        return {
            "type": self._type,
            "allocationStrategy": self._strategy,
            "minvCpus": 0,
            "maxvCpus": spec.max_vcpus,
            "instanceTypes": list(spec.instance_types),
            "subnets": list(network.subnet_ids),
            "securityGroupIds": [SecurityGroup(self.stack, network.vpc_id).group_id(remote)],
            "instanceRole": self.stack.iam_arn("instance-profile", self.stack.instance_role),
            "launchTemplate": {
                "launchTemplateName": self.stack.instances,
                "version": LaunchTemplate(self.stack).version_for(spec, remote),
            },
            "ec2Configuration": [{"imageType": image, **({"imageIdOverride": spec.ami} if spec.ami else {})}],
            "tags": self.stack.tags,
        }

    def _creation(self, desired: Document) -> Instruction:
        parameters = {
            "computeEnvironmentName": self.name,
            "type": "MANAGED",
            "state": desired["state"],
            "computeResources": desired["computeResources"],
            "serviceRole": desired["serviceRole"],
            "tags": self.stack.tags,
        }
        what = f"create compute environment {self.name}"
        return ApiCall(what, "batch", "create_compute_environment", parameters, transient=PROPAGATION_ERRORS)

    def _removal(self) -> list[Instruction]:
        return [
            self._change("disable", "update_compute_environment", state="DISABLED"),
            self._wait(SETTLED),
            self._change("delete", "delete_compute_environment"),
            self._wait(GONE),
        ]

    def _change(self, what: str, operation: str, **parameters: object) -> Instruction:
        parameters = {"computeEnvironment": self.name, **parameters}
        return ApiCall(f"{what} compute environment {self.name}", "batch", operation, parameters)

    def _wait(
        self, statuses: frozenset[str], transient: tuple[str, ...] = (), recreate: tuple[Instruction, ...] = ()
    ) -> WaitUntil:
        return replace(wait_for_environment(self.name, statuses), transient=transient, recreate=recreate)


def update_policy(spec: ProvisionSpec) -> Document:
    """Policy of updates that replace instances: jobs have their whole time. By default AWS ends them after 30 minutes.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_UpdatePolicy.html
    """
    minutes = min(spec.job_timeout, LONGEST_UPDATE_MINUTES)
    return {"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": minutes}


def platform_of(resources: Document) -> str:
    """Platform of an environment's jobs, EC2 or FARGATE."""
    return FARGATE if str(resources.get("type", "")).startswith(FARGATE) else "EC2"


def _replaces_instances(changes: Document) -> bool:
    """True for what AWS calls an infrastructure update; those come with a policy."""
    return "updatePolicy" in changes and bool(changes.get("computeResources", {}).keys() - SCALING)


def _changes(found: ObservedResource, desired: Document, changed: frozenset[str]) -> Document:
    """Of UpdateComputeEnvironment, only what differs: some changes replace instances, and for those is the policy."""
    changes: Document = {}
    if "state" in changed:
        changes["state"] = desired["state"]
    if changed & {"computeResources", IMAGE_VERSION}:
        before, after = found.properties["computeResources"], desired["computeResources"]
        newer = {"updateToLatestImageVersion": True} if IMAGE_VERSION in changed else {}
        differing = [key for key, one in _said(after).items() if differences(before.get(key), one)]
        if desired["platform"] != FARGATE:
            changes["updatePolicy"] = desired["updatePolicy"]
        changes["computeResources"] = {**{key: after[key] for key in differing}, **newer}
    return changes


def _said(resources: Document) -> Document:
    """Resources for a comparison, in which no system image of one's own is said, too: one that was found is to go."""
    if "ec2Configuration" not in resources:
        return resources
    images = [{"imageIdOverride": None, **one} for one in resources["ec2Configuration"]]
    return {**resources, "ec2Configuration": images}


def _has_newer_image(resources: Document) -> bool:
    return any(one.get("batchImageStatus") == NEWER_IMAGE for one in resources.get("ec2Configuration", ()))


def _in_order(resources: Document) -> Document:
    """Lists whose order means nothing, sorted, so that they can be compared."""
    unordered = ("instanceTypes", "subnets", "securityGroupIds")
    return {key: sorted(value, key=str) if key in unordered else value for key, value in resources.items()}


def _detail(found: Document) -> str:
    resources = found.get("computeResources", {})
    kind = ResourceKind.COMPUTE_ENVIRONMENT if resources.get("type") == "SPOT" else "on demand"
    sizes = f"{kind} {resources.get('minvCpus', 0)}-{resources.get('maxvCpus', '?')} vCPUs"
    reason = f" · {found['statusReason']}" if found["status"] == "INVALID" and found.get("statusReason") else ""
    return f"{sizes} · {resources.get('desiredvCpus', 0)} desired{reason}"
