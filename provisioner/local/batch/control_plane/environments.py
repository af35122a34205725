"""Compute environments: make, change, delete, find, in Batch's order and with its delays.

https://docs.aws.amazon.com/batch/latest/userguide/compute_environment_parameters.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from provisioner.local.batch import views
from provisioner.local.batch.account import Account
from provisioner.local.batch.control_plane import environment_rules
from provisioner.local.batch.control_plane.background import Background
from provisioner.local.batch.control_plane.environment_health import EnvironmentHealth
from provisioner.local.batch.errors import client_error
from provisioner.local.batch.records import LocalEnvironment, LocalQueue
from provisioner.local.batch.requests import (
    Json,
    arn_of,
    check_settled,
    chosen,
    new_name,
    page,
    required,
    short_name,
    state_of,
)
from provisioner.local.options import Delays, Span, drawn

HEALTHY: Final = "ComputeEnvironment Healthy"
UPDATE_MINUTES: Final = 30
"""For which jobs go on during an update that replaces instances, unless its policy says otherwise:
https://docs.aws.amazon.com/batch/latest/APIReference/API_UpdatePolicy.html"""
UPDATE_LOOK_S: Final = 5.0


class Environments:
    """Registry of compute environments. methods want the lifecycle's lock held."""

    def __init__(
        self,
        region: str,
        background: Background,
        account: Account,
        health: EnvironmentHealth,
        queues: Mapping[str, LocalQueue],
        delays: Delays,
        chance: Random,
    ) -> None:
        self.by_name: dict[str, LocalEnvironment] = {}
        self._region = region
        self._background = background
        self._account = account
        self._health = health
        self._queues = queues
        self._delays = delays
        self._chance = chance

    def create(self, request: Json) -> Json:
        """Answer CreateComputeEnvironment. Raises `BatchError`."""
        name = new_name(request, "computeEnvironmentName", self.by_name)
        state = state_of(request, "ENABLED")
        environment_rules.check_new(request, self._account)
        if not request.get("serviceRole"):
            request["serviceRole"] = self._account.service_linked_role()
        environment = LocalEnvironment(name, arn_of(self._region, "compute-environment", name), request, state)
        self.by_name[name] = environment
        self._later(self._delays.environment, lambda: self._settle(environment))
        return answer(environment)

    def update(self, request: Json) -> Json:
        """Answer UpdateComputeEnvironment. Raises `BatchError`."""
        environment = self.find(required(request, "computeEnvironment"))
        check_settled(environment.status, "update")
        state = state_of(request, environment.state)
        environment_rules.check_change(environment, request, self._account)
        self._apply(environment, request)
        environment.state, environment.status = state, "UPDATING"
        replaces = not environment_rules.SCALING_ALONE.issuperset(request.get("computeResources", {}))
        environment.warm_vcpus = 0.0 if replaces else environment.warm_vcpus
        if replaces and self._delays.replacement is not None:
            self._replace_instances(environment, self._delays.replacement)
        else:
            span = self._delays.environment if self._delays.scaling is None else self._delays.scaling
            self._later(span, lambda: self._settle(environment))
        return answer(environment)

    def delete(self, request: Json) -> Json:
        """Answer DeleteComputeEnvironment. Raises `BatchError` unless it is DISABLED and in no queue."""
        environment = self.find(required(request, "computeEnvironment"))
        check_settled(environment.status, "delete")
        if environment.state != "DISABLED":
            raise client_error(f"Cannot delete, resource must be disabled first: {environment.name}")
        if any(queue.uses(environment) for queue in self._queues.values()):
            raise client_error("Cannot delete, found existing JobQueue relationship")
        environment.status = "DELETING"
        self._later(self._delays.environment, lambda: self._remove(environment))
        return {}

    def describe(self, request: Json) -> Json:
        """Answer DescribeComputeEnvironments."""
        found = chosen(request.get("computeEnvironments"), self.by_name)
        return page(request, "computeEnvironments", [views.environment_detail(one) for one in found])

    def find(self, name_or_arn: str) -> LocalEnvironment:
        """The environment of that name or ARN. Raises `BatchError` when there is none."""
        found = self.by_name.get(short_name(name_or_arn))
        if found is None:
            raise client_error(f"{name_or_arn} does not exist")
        return found

    def has_group(self, group_id: str) -> bool:
        """Whether an environment has that security group."""
        return any(group_id in one.compute.get("securityGroupIds", ()) for one in list(self.by_name.values()))

    def _later(self, span: Span, action: Callable[[], object]) -> None:
        self._background.later(drawn(span, self._chance), action)

    def _replace_instances(self, environment: LocalEnvironment, span: Span) -> None:
        """The update lasts as long as what runs on the old instances, which the update policy bounds."""
        policy = environment.request.get("updatePolicy", {})
        minutes = 0 if policy.get("terminateJobsOnUpdate") else policy.get("jobExecutionTimeoutMinutes", UPDATE_MINUTES)
        old = self._background.running_on(environment)

        def settle() -> None:
            if any(job.current is attempt for job, attempt in old):
                self._later(UPDATE_LOOK_S, settle)
            else:
                self._settle(environment)

        self._later(float(minutes * 60), lambda: self._background.lose_hosts(old))
        self._later(span, settle)

    def _apply(self, environment: LocalEnvironment, request: Json) -> None:
        if "computeResources" in request:
            changed = environment_rules.merged(environment.compute, request["computeResources"])
            changed.pop("updateToLatestImageVersion", None)  # what to do, and nothing that stays
            environment.request["computeResources"] = changed
        for field in ("serviceRole", "updatePolicy"):
            if field in request:
                environment.request[field] = request[field]

    def _settle(self, environment: LocalEnvironment) -> None:
        problem = self._health.problem(environment, self._background.now_ms())
        environment.status = "VALID" if problem is None else "INVALID"
        environment.status_reason = problem or HEALTHY
        environment.worked = environment.worked or problem is None

    def _remove(self, environment: LocalEnvironment) -> None:
        stranded = self._health.stranded(environment, self._background.now_ms())
        if stranded is None:
            del self.by_name[environment.name]
        else:
            environment.status, environment.status_reason = "INVALID", stranded


def answer(environment: LocalEnvironment) -> Json:
    """The answer to a call that makes or changes an environment."""
    return {"computeEnvironmentName": environment.name, "computeEnvironmentArn": environment.arn}
