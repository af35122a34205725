"""Planner: from what is asked for and what lives to a plan. Reads, never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.catalog import desired_resources, known_resources
from provisioner.plan.field_changes import first_level
from provisioner.plan.kms_key import note_of_policy
from provisioner.plan.model import Change, FieldChange, Instruction, Plan
from provisioner.plan.remote import RemoteState
from provisioner.resources.job_queue import count_living, count_running
from provisioner.resources.network import Network, network_of
from provisioner.resources.repository import Repository
from provisioner.resources.resource import ObservedResource, Resource
from provisioner.stack.naming import TAG, Stack
from provisioner.stack.spec import ProvisionSpec, check_place


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims to resources without our tag: those that this machine began to make, and with --adopt all."""

    begun: frozenset[str] = frozenset()
    adopt: bool = False

    def covers(self, resource: Resource, found: ObservedResource) -> bool:
        """True when the resource is ours, by its tag or by a claim, and so may be changed and deleted."""
        ours = resource.shared or found.is_of(resource.stack)
        return ours or self.adopt or resource.key in self.begun


NO_CLAIMS: Final = Claims()


def stack_of(region: str, prefix: str, clients: Clients) -> Stack:
    """Names of a stack in the caller's account. Raises `ConfigError` for a region or prefix that can't be."""
    check_place(region, prefix)
    return Stack(region, prefix, clients.account, clients.partition, clients.dns_suffix)


def plan_provision(
    spec: ProvisionSpec,
    stack: Stack,
    remote: RemoteState,
    claims: Claims = NO_CLAIMS,
    *,
    end_jobs: bool = False,
    refresh_ami: bool = False,
) -> Plan:
    """Plan of what is missing or different, in the order in which one resource needs the other.

    With `end_jobs` what can't be mended without the end of jobs is replaced, with `refresh_ami` newer system images are
    taken. What the spec no longer asks for is
    deleted last. Raises `ProvisionError` for a resource of our name that somebody else made, `ConfigError` for a
    network that isn't there.
    """
    network = network_of(spec, remote)
    resources = desired_resources(spec, stack, network.vpc_id, end_jobs=end_jobs, refresh_ami=refresh_ami)
    comparisons = [_Comparison.of(resource, spec, remote) for resource in resources]
    _refuse_foreign(comparisons, claims)
    _spread_replacement(comparisons)
    changes = [one.change() for one in comparisons]
    undesired = _removals_of_undesired(stack, resources, remote, claims)
    ended = _count_ended(stack, comparisons, undesired, remote)
    advice = [one.found.advice for one in comparisons if one.found and one.found.advice and not refresh_ami]
    own = [note for one in comparisons for note in one.resource.notes(one.found, one.desired)]
    keyed = any(one.resource.takes_key(one.found, one.desired) for one in comparisons)
    key = (note_of_policy(spec, stack.encrypted(spec.kms_key)),) if keyed else ()
    notes = (*_notes(spec, network), *key, *own, *advice, *_notes_of_ended(stack, ended))
    return Plan((*_with_removals_first(changes, comparisons, remote), *undesired), notes, ended)


def _count_ended(
    stack: Stack, comparisons: Sequence[_Comparison], undesired: Sequence[Change], remote: RemoteState
) -> int:
    """Jobs that the plan may end: all of a queue that is replaced, and what runs when an environment goes."""
    if any(one.replaced and one.found and one.resource.kind is ResourceKind.JOB_QUEUE for one in comparisons):
        return count_living(remote, stack.job_queue)
    found = any(one.found and one.resource.kind is ResourceKind.JOB_QUEUE for one in comparisons)
    if found and any(change.kind is ResourceKind.COMPUTE_ENVIRONMENT for change in undesired):
        return count_running(remote, stack.job_queue)
    return 0


def _notes_of_ended(stack: Stack, ended: int) -> tuple[str, ...]:
    if not ended:
        return ()
    return (f"Up to {ended} jobs of {stack.job_queue} would end: `provision` wants --end-jobs for that.",)


def _notes(spec: ProvisionSpec, network: Network) -> tuple[str, ...]:
    notes = list(network.notes)
    if spec.spot:
        both = "Fargate Spot and Fargate" if spec.fargate else "Spot and on-demand instances"
        notes.append(f"{both} may have {spec.max_vcpus} vCPUs each: jobs go to Spot while it has room.")
    if spec.container_memory < spec.memory:
        got = f"{spec.container_memory} MiB of {spec.total_memory} MiB"
        notes.append(f"A container gets {got}, less than the {spec.memory} MiB asked for: the host needs the rest.")
    return tuple(notes)


def plan_repository(spec: ProvisionSpec, stack: Stack, remote: RemoteState, claims: Claims = NO_CLAIMS) -> Change:
    """Change of the one resource that the image needs first. Raises `ProvisionError` for somebody else's."""
    one = _Comparison.of(Repository(stack.tagged(spec.tags).encrypted(spec.kms_key)), spec, remote)
    _refuse_foreign([one], claims)
    return one.change()


@dataclass(slots=True)
class _Comparison:
    """Desired resource beside what lives of it."""

    resource: Resource
    found: ObservedResource | None
    desired: Document
    fields: tuple[FieldChange, ...]
    replaced: bool

    @classmethod
    def of(cls, resource: Resource, spec: ProvisionSpec, remote: RemoteState) -> _Comparison:
        found, desired = resource.read(remote), resource.desired(spec, remote)
        fields = resource.compare(found, desired)
        replaced = found is not None and resource.must_replace(found, first_level(fields))
        return cls(resource, found, desired, fields, replaced)

    def change(self) -> Change:
        resource, found = self.resource, self.found
        if found is None:
            return self._change(PlanAction.CREATE, resource.create(self.desired))
        if self.replaced:
            note = f"it is {found.state}" if not self.fields else ""
            return self._change(PlanAction.REPLACE, resource.create(self.desired), note)
        if self.fields or resource.must_settle(found):
            steps = resource.update(found, self.desired, first_level(self.fields))
            return self._change(PlanAction.UPDATE, steps, self._update_note(found))
        return self._change(PlanAction.KEEP, [])

    def _update_note(self, found: ObservedResource) -> str:
        if not self.resource.shared and not found.is_of(self.resource.stack):
            return f"taken over: it lacked the tag {TAG}={self.resource.stack.prefix}"
        if note := self.resource.note_of_update(found, self.desired, first_level(self.fields)):
            return note
        return "" if self.fields else f"wait: it is {found.state}"

    def _change(self, action: PlanAction, steps: Sequence[Instruction], note: str = "") -> Change:
        return Change(action, self.resource.kind, self.resource.name, self.fields, tuple(steps), note)


def _refuse_foreign(comparisons: Sequence[_Comparison], claims: Claims) -> None:
    foreign = [one.resource for one in comparisons if one.found and not claims.covers(one.resource, one.found)]
    if foreign:
        names = ", ".join(f"{resource.kind} {resource.name}" for resource in foreign)
        raise ProvisionError(
            f"Without the tag {TAG}={foreign[0].stack.prefix} what is there may be somebody else's, and nothing is "
            f"changed: {names}. Choose another --prefix, or take them over with --adopt."
        )


def _spread_replacement(comparisons: Sequence[_Comparison]) -> None:
    """Replace with a resource what stands on it, where AWS demands that."""
    replaced: set[ResourceKind] = set()
    for one in comparisons:
        if one.found and replaced & set(one.resource.needs):
            one.replaced = True
        if one.replaced and one.resource.replaced_with_dependents:
            replaced.add(one.resource.kind)


def _with_removals_first(
    changes: list[Change], comparisons: Sequence[_Comparison], remote: RemoteState
) -> list[Change]:
    """The removals of all that is replaced go before the first of them is made again, last made first removed."""
    removals: list[Instruction] = []
    for one in reversed(comparisons):
        if one.replaced and one.found:
            removals += one.resource.delete(one.found, remote)
    first = next((index for index, one in enumerate(comparisons) if one.replaced), None)
    if first is not None:
        changes[first] = replace(changes[first], steps=(*removals, *changes[first].steps))
    return changes


def _removals_of_undesired(
    stack: Stack, resources: Sequence[Resource], remote: RemoteState, claims: Claims
) -> list[Change]:
    """Deletions of what an earlier spec asked for and this one doesn't."""
    kept = {resource.key for resource in resources}
    removals: list[Change] = []
    for resource in reversed(known_resources(stack, remote)):
        if resource.key in kept or resource.outlives_spec:
            continue
        found = resource.read(remote)
        if found and claims.covers(resource, found):
            steps = tuple(resource.delete(found, remote))
            note = "no longer asked for"
            removals.append(Change(PlanAction.DELETE, resource.kind, resource.name, steps=steps, note=note))
    return removals
