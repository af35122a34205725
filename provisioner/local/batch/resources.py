"""Compute environments, job queues and job definitions: make, change, delete, find.

AWS makes and changes environments and queues in the background: `delays` says how long that takes here. What
AWS refuses is refused: deleting what is enabled or in use, names that are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from provisioner.local.batch.errors import client_error
from provisioner.local.batch.lifecycle import Lifecycle
from provisioner.local.batch.records import Definition, Environment, Queue
from provisioner.local.batch.submit import checked_timeout
from provisioner.local.options import Delays

ACCOUNT = "123456789012"
SERVICE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
Json = dict[str, Any]


class Resources:
    """Owns the three kinds. Methods want the lifecycle's lock held."""

    def __init__(self, lifecycle: Lifecycle, delays: Delays, region: str) -> None:
        self._lifecycle = lifecycle
        self._delays = delays
        self._region = region
        self.environments: dict[str, Environment] = {}
        self.queues = lifecycle.placement.queues
        self.definitions: dict[str, list[Definition]] = {}

    # Compute environments

    def create_environment(self, request: Json) -> Json:
        name = required(request, "computeEnvironmentName")
        if name in self.environments:
            raise client_error(f"Object already exists: {name}")
        request.setdefault("serviceRole", SERVICE_ROLE)
        environment = Environment(
            name, self._arn("compute-environment", name), request, request.get("state", "ENABLED")
        )
        self.environments[name] = environment
        self._settle(environment, self._delays.environment)
        return {"computeEnvironmentName": name, "computeEnvironmentArn": environment.arn}

    def update_environment(self, request: Json) -> Json:
        environment = self.environment(required(request, "computeEnvironment"))
        environment.state = request.get("state", environment.state)
        environment.compute.update(request.get("computeResources", {}))
        environment.request["serviceRole"] = request.get("serviceRole", environment.request["serviceRole"])
        environment.status = "UPDATING"
        self._settle(environment, self._delays.environment)
        return {
            "computeEnvironmentName": environment.name,
            "computeEnvironmentArn": environment.arn,
        }

    def delete_environment(self, request: Json) -> Json:
        environment = self.environment(required(request, "computeEnvironment"))
        if environment.state != "DISABLED":
            raise client_error("Cannot delete, resource must be disabled first: " + environment.name)
        if any(environment in queue.environments for queue in self.queues.values()):
            raise client_error("Cannot delete, found existing JobQueue relationship")
        environment.status = "DELETING"
        gone = partial(self.environments.pop, environment.name, None)
        self._later(self._delays.environment, gone)
        return {}

    def environment(self, name_or_arn: str) -> Environment:
        found = self.environments.get(short_name(name_or_arn))
        if found is None:
            raise client_error(f"{name_or_arn} does not exist")
        return found

    # Job queues

    def create_queue(self, request: Json) -> Json:
        name = required(request, "jobQueueName")
        if name in self.queues:
            raise client_error(f"Object already exists: {name}")
        environments = self._ordered(request)
        queue = Queue(
            name,
            self._arn("job-queue", name),
            request,
            request.get("state", "ENABLED"),
            environments,
        )
        self.queues[name] = queue
        self._settle(queue, self._delays.queue)
        return {"jobQueueName": name, "jobQueueArn": queue.arn}

    def update_queue(self, request: Json) -> Json:
        queue = self.queue(required(request, "jobQueue"))
        if "computeEnvironmentOrder" in request:
            queue.environments = self._ordered(request)
        queue.request.update({key: request[key] for key in request if key != "jobQueue"})
        queue.state = request.get("state", queue.state)
        queue.status = "UPDATING"
        self._settle(queue, self._delays.queue)
        return {"jobQueueName": queue.name, "jobQueueArn": queue.arn}

    def delete_queue(self, request: Json) -> Json:
        """Its jobs end with it."""
        queue = self.queue(required(request, "jobQueue"))
        if queue.state != "DISABLED":
            raise client_error("Cannot delete, resource must be disabled first: " + queue.name)
        queue.status = "DELETING"
        for job in list(queue.jobs.values()):
            self._lifecycle.terminate(job, "Job queue deleted")
        self._later(self._delays.queue, partial(self.queues.pop, queue.name, None))
        return {}

    def queue(self, name_or_arn: str) -> Queue:
        found = self.queues.get(short_name(name_or_arn))
        if found is None:
            raise client_error(f"JobQueue {name_or_arn} not found.")
        return found

    def _ordered(self, request: Json) -> list[Environment]:
        order = sorted(request.get("computeEnvironmentOrder", ()), key=lambda one: int(one["order"]))
        environments = [self.environment(one["computeEnvironment"]) for one in order]
        if not environments:
            raise client_error("At least one compute environment must be given.")
        for environment in environments:
            if environment.status != "VALID":
                raise client_error(f"{environment.arn} is not VALID: {environment.status}")
        return environments

    # Job definitions

    def register_definition(self, request: Json) -> Json:
        name = required(request, "jobDefinitionName")
        checked_timeout(request.get("timeout", {}))
        revisions = self.definitions.setdefault(name, [])
        revision = len(revisions) + 1
        arn = self._arn("job-definition", f"{name}:{revision}")
        revisions.append(Definition(name, revision, arn, request))
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def deregister_definition(self, request: Json) -> Json:
        self.definition(required(request, "jobDefinition")).status = "INACTIVE"
        return {}

    def definition(self, name_or_arn: str) -> Definition:
        """`name:revision`, or the newest active revision of `name`."""
        name, _, revision = short_name(name_or_arn).partition(":")
        revisions = self.definitions.get(name, [])
        if revision:
            found = [one for one in revisions if str(one.revision) == revision]
        else:
            found = [one for one in revisions if one.status == "ACTIVE"]
        if not found:
            raise client_error(f"JobDefinition {name_or_arn} not found.")
        return found[-1]

    # The background work

    def _settle(self, thing: Environment | Queue, delay: float) -> None:
        def settle() -> None:
            if thing.status in ("CREATING", "UPDATING"):
                thing.status, thing.status_reason = "VALID", f"{type(thing).__name__} Healthy"
            self._lifecycle.schedule()

        self._later(delay, settle)

    def _later(self, delay: float, action: Callable[[], object]) -> None:
        def locked() -> None:
            with self._lifecycle.lock:
                action()

        self._lifecycle.clock.after(delay, locked)

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:batch:{self._region}:{ACCOUNT}:{kind}/{name}"


def short_name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def required(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if not value:
        raise client_error(f"Error executing request, Exception : {field} must not be empty.")
    return str(value)
