"""What a provisioned stack is now: each resource's state, and how it differs from what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.plan.catalog import wanted
from provisioner.plan.field_changes import differences
from provisioner.plan.model import FieldChange
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.resources.resource import Resource
from provisioner.resources.security_group import ANY_VPC
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

MISSING: Final = "MISSING"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class LiveResource:
    """A resource as it lives. `drift` has what lives as `before`; `error` is why it could not be read."""

    kind: str
    name: str
    arn: str
    state: str
    drift: tuple[FieldChange, ...] = ()
    detail: str = ""
    error: str = ""


def look(spec: ProvisionSpec, stack: Stack, remote: RemoteState) -> list[LiveResource]:
    """Never raises for what can't be read: the rest is worth seeing."""
    return [_seen(resource, spec, remote) for resource in wanted(spec, stack, _vpc(spec, remote))]


def _vpc(spec: ProvisionSpec, remote: RemoteState) -> str:
    try:
        return network_of(spec, remote).vpc_id
    except (ProvisionError, ConfigError):
        return ANY_VPC


def _seen(resource: Resource, spec: ProvisionSpec, remote: RemoteState) -> LiveResource:
    seen = LiveResource(resource.kind, resource.name, resource.arn, UNKNOWN)
    try:
        found = resource.read(remote)
        if found is None:
            return LiveResource(seen.kind, seen.name, seen.arn, MISSING)
        drift = differences(found.properties, resource.desired(spec, remote))
    except (ProvisionError, ConfigError) as error:
        return LiveResource(seen.kind, seen.name, seen.arn, UNKNOWN, error=str(error))
    return LiveResource(seen.kind, seen.name, seen.arn, found.state, drift, found.detail)
