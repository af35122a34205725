"""Job definitions: revisions that are registered, found and made INACTIVE.

https://docs.aws.amazon.com/batch/latest/userguide/job_definitions.html
"""

from __future__ import annotations

from provisioner.local.batch import views
from provisioner.local.batch.control_plane import definition_rules
from provisioner.local.batch.control_plane.background import Background
from provisioner.local.batch.control_plane.environment_health import EnvironmentHealth
from provisioner.local.batch.errors import client_error
from provisioner.local.batch.records import LocalDefinition
from provisioner.local.batch.requests import Json, arn_of, new_name, page, required, short_name


class Definitions:
    """Registry of job definitions. Methods want the lifecycle's lock held."""

    def __init__(self, region: str, background: Background, health: EnvironmentHealth) -> None:
        self._known: dict[str, list[LocalDefinition]] = {}
        self._region = region
        self._background = background
        self._health = health

    def register(self, request: Json) -> Json:
        """Answer RegisterJobDefinition with a new revision. Raises `BatchError`."""
        name = new_name(request, "jobDefinitionName")
        now = self._background.now_ms()
        definition_rules.check_definition(request, lambda arn: self._health.knows_role(arn, now))
        revisions = self._known.setdefault(name, [])
        revision = len(revisions) + 1
        arn = arn_of(self._region, "job-definition", f"{name}:{revision}")
        revisions.append(LocalDefinition(name, revision, arn, request))
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def deregister(self, request: Json) -> Json:
        """Answer DeregisterJobDefinition: the revision is INACTIVE, and jobs of it go on. Raises `BatchError`."""
        name = required(request, "jobDefinition")
        if ":" not in short_name(name):
            raise client_error(f"Job definition {name} lacks its revision; give it as name:revision.")
        self.find(name).status = "INACTIVE"
        return {}

    def describe(self, request: Json) -> Json:
        """The newest first."""
        wanted = {short_name(name) for name in request.get("jobDefinitions", ())}
        name, status = short_name(request.get("jobDefinitionName") or ""), request.get("status")
        found = [
            one
            for revisions in self._known.values()
            for one in revisions
            if (not wanted or wanted & {one.name, f"{one.name}:{one.revision}"})
            and name in ("", one.name)
            and status in (None, one.status)
        ]
        return page(request, "jobDefinitions", [views.definition_detail(one) for one in reversed(found)])

    def find(self, name_or_arn: str) -> LocalDefinition:
        """`name:revision`, or the newest active revision of `name`."""
        name, _, revision = short_name(name_or_arn).partition(":")
        revisions = self._known.get(name, [])
        if revision:
            found = [one for one in revisions if str(one.revision) == revision]
        else:
            found = [one for one in revisions if one.status == "ACTIVE"]
        if not found:
            raise client_error(f"JobDefinition {name_or_arn} not found.")
        return found[-1]
