"""Drift of a provisioned stack: each resource's state now, and how it differs from what was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.json_schema import MISSING, UNKNOWN
from provisioner.kinds import ResourceKind
from provisioner.plan.catalog import desired_resources
from provisioner.plan.model import FieldChange
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.resources.resource import Resource
from provisioner.resources.security_group import ANY_VPC
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec


@dataclass(frozen=True, slots=True)
class LiveResource:
    """Resource as it lives. `drift` has what lives as `before`; `error` is why it could not be read.

    `advice` is what could be done, though nothing asks for it.
    """

    kind: ResourceKind
    name: str
    arn: str
    state: str
    drift: tuple[FieldChange, ...] = ()
    detail: str = ""
    error: str = ""
    advice: str = ""

    @property
    def is_missing(self) -> bool:
        """True when it doesn't exist."""
        return self.state == MISSING


def live_resources(spec: ProvisionSpec, stack: Stack, remote: RemoteState) -> list[LiveResource]:
    """State and drift of every resource that the spec asks for.

    Raises nothing for what can't be read: the rest is worth seeing.
    """
    return [_live(resource, spec, remote) for resource in desired_resources(spec, stack, _vpc(spec, remote))]


def _vpc(spec: ProvisionSpec, remote: RemoteState) -> str:
    try:
        return network_of(spec, remote).vpc_id
    except (ProvisionError, ConfigError):
        return ANY_VPC


def _live(resource: Resource, spec: ProvisionSpec, remote: RemoteState) -> LiveResource:
    kind, name, arn = resource.kind, resource.name, resource.arn
    try:
        found = resource.read(remote)
        if found is None:
            return LiveResource(kind, name, arn, MISSING)
        drift = resource.compare(found, resource.desired(spec, remote))
    except (ProvisionError, ConfigError) as error:
        return LiveResource(kind, name, arn, UNKNOWN, error=str(error))
    return LiveResource(kind, name, arn, found.state, drift, found.detail, advice=found.advice)
