"""From what is asked for and what lives to a plan. Reads, never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError
from provisioner.plan.catalog import possible, wanted
from provisioner.plan.field_changes import differences, first_level
from provisioner.plan.model import Change, FieldChange, Instruction, Plan, PlanAction
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import Network, network_of
from provisioner.resources.repository import Repository
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import TAG, Stack
from provisioner.stack.spec import ProvisionSpec, check_place


@dataclass(frozen=True, slots=True)
class Claims:
    """What counts as ours besides what carries our tag: what this machine began to make, and with --adopt all."""

    begun: frozenset[str] = frozenset()
    adopt: bool = False

    def covers(self, resource: Resource, found: Found) -> bool:
        ours = resource.shared or found.is_of(resource.stack)
        return ours or self.adopt or resource.key in self.begun


NO_CLAIMS: Final = Claims()


def stack_of(region: str, prefix: str, clients: Clients) -> Stack:
    """The names for this account. Raises `ConfigError` for a region or prefix that can't be."""
    check_place(region, prefix)
    return Stack(region, prefix, clients.account, clients.partition, clients.dns_suffix)


def plan_provision(spec: ProvisionSpec, stack: Stack, remote: RemoteState, claims: Claims = NO_CLAIMS) -> Plan:
    """What is missing or different, in the order in which one resource needs the other; what the spec no longer
    wants goes last.

    Raises `ProvisionError` for a resource of our name that somebody else made, `ConfigError` for a network that
    isn't there.
    """
    network = network_of(spec, remote)
    resources = wanted(spec, stack, network.vpc_id)
    views = [_View.of(resource, spec, remote) for resource in resources]
    _refuse_foreign(views, claims)
    _spread_replacement(views)
    changes = [view.change() for view in views]
    strays = _strays(stack, resources, remote, claims)
    return Plan((*_with_removals_first(changes, views, remote), *strays), _notes(spec, network))


def _notes(spec: ProvisionSpec, network: Network) -> tuple[str, ...]:
    notes = [network.note] if network.is_default else []
    if spec.spot:
        notes.append(
            f"Spot and on-demand instances may have {spec.max_vcpus} vCPUs each: jobs go to Spot while it has room."
        )
    if spec.container_memory < spec.memory:
        got = f"{spec.container_memory} MiB of {spec.total_memory} MiB"
        notes.append(f"A container gets {got}, less than the {spec.memory} MiB asked for: the host needs the rest.")
    return tuple(notes)


def plan_repository(spec: ProvisionSpec, stack: Stack, remote: RemoteState, claims: Claims = NO_CLAIMS) -> Change:
    """The one resource that has to be there before the image is. Raises `ProvisionError` for somebody else's."""
    view = _View.of(Repository(stack), spec, remote)
    _refuse_foreign([view], claims)
    return view.change()


@dataclass(slots=True)
class _View:
    """A wanted resource beside what lives of it."""

    resource: Resource
    found: Found | None
    desired: Document
    fields: tuple[FieldChange, ...]
    replaced: bool

    @classmethod
    def of(cls, resource: Resource, spec: ProvisionSpec, remote: RemoteState) -> _View:
        found, desired = resource.read(remote), resource.desired(spec, remote)
        fields = differences(found.properties if found else {}, desired)
        replaced = found is not None and resource.must_replace(found, first_level(fields))
        return cls(resource, found, desired, fields, replaced)

    def change(self) -> Change:
        resource, found = self.resource, self.found
        if found is None:
            return self._as(PlanAction.CREATE, resource.create(self.desired))
        if self.replaced:
            note = f"it is {found.state}" if not self.fields else ""
            return self._as(PlanAction.REPLACE, resource.create(self.desired), note)
        if self.fields or resource.must_settle(found):
            steps = resource.update(found, self.desired, first_level(self.fields))
            return self._as(PlanAction.UPDATE, steps, self._update_note(found))
        return self._as(PlanAction.KEEP, [])

    def _update_note(self, found: Found) -> str:
        if not self.resource.shared and not found.is_of(self.resource.stack):
            return f"taken over: it lacked the tag {TAG}={self.resource.stack.prefix}"
        return "" if self.fields else f"wait: it is {found.state}"

    def _as(self, action: PlanAction, steps: Sequence[Instruction], note: str = "") -> Change:
        return Change(action, self.resource.kind, self.resource.name, self.fields, tuple(steps), note)


def _refuse_foreign(views: Sequence[_View], claims: Claims) -> None:
    foreign = [view.resource for view in views if view.found and not claims.covers(view.resource, view.found)]
    if foreign:
        names = ", ".join(f"{resource.kind} {resource.name}" for resource in foreign)
        raise ProvisionError(
            f"Without the tag {TAG}={foreign[0].stack.prefix} what is there may be somebody else's, and nothing is "
            f"changed: {names}. Choose another --prefix, or take them over with --adopt."
        )


def _spread_replacement(views: Sequence[_View]) -> None:
    """What stands on a replaced resource is replaced with it: AWS deletes no environment under a queue."""
    replaced: set[str] = set()
    for view in views:
        if view.found and replaced & set(view.resource.needs):
            view.replaced = True
        if view.replaced and view.resource.kind == "compute environment":
            replaced.add(view.resource.kind)


def _with_removals_first(changes: list[Change], views: Sequence[_View], remote: RemoteState) -> list[Change]:
    """The removals of all that is replaced go before the first of them is made again, last made first removed."""
    removals: list[Instruction] = []
    for view in reversed(views):
        if view.replaced and view.found:
            removals += view.resource.delete(view.found, remote)
    first = next((index for index, view in enumerate(views) if view.replaced), None)
    if first is not None:
        changes[first] = replace(changes[first], steps=(*removals, *changes[first].steps))
    return changes


def _strays(stack: Stack, resources: Sequence[Resource], remote: RemoteState, claims: Claims) -> list[Change]:
    """What an earlier spec wanted and this one doesn't; images stay, they may be wanted again."""
    kept = {resource.key for resource in resources}
    strays: list[Change] = []
    for resource in reversed(possible(stack, remote)):
        if resource.key in kept or resource.kind == "ECR repository":
            continue
        found = resource.read(remote)
        if found and claims.covers(resource, found):
            steps = tuple(resource.delete(found, remote))
            note = "no longer asked for"
            strays.append(Change(PlanAction.DELETE, resource.kind, resource.name, steps=steps, note=note))
    return strays
