"""Removal of a stack: in the order that AWS accepts, each resource on its own, and then a second reading.

A resource that can't be removed keeps what it stands on, and nothing else: its roles, its security group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from provisioner.clients import Clients
from provisioner.errors import ProvisionError, StepFailed
from provisioner.kinds import PlanAction, ResourceKind, StepState
from provisioner.plan.catalog import known_resources, upstream_resources
from provisioner.plan.executor import PlanExecutor, Progress
from provisioner.plan.model import Change, Plan
from provisioner.plan.planner import NO_CLAIMS, Claims
from provisioner.plan.queued_jobs import living_jobs
from provisioner.plan.remote import RemoteState
from provisioner.plan.waiting import WaitPolicy
from provisioner.resources.resource import ObservedResource, Resource
from provisioner.stack.naming import TAG, Stack

DATA: Final = tuple(kind for kind in ResourceKind if kind.is_data)
"""Kinds that --keep-data keeps."""


@dataclass(frozen=True, slots=True)
class Removal:
    """State of one resource's removal while a cleanup runs. `text`: the step that is running, or why it ended so."""

    kind: ResourceKind
    name: str
    state: StepState
    text: str = ""


@dataclass(frozen=True, slots=True)
class Remains:
    """Resource that is still there afterwards, why, and what a person types to remove it."""

    kind: ResourceKind
    name: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Resource as it was found before anything was removed. `unread`: why it could not be read."""

    resource: Resource
    found: ObservedResource | None
    unread: str = ""
    foreign: bool = False

    def is_doomed(self, *, keep_data: bool) -> bool:
        """True when it exists, is ours, and isn't data that is to be kept."""
        kept = keep_data and self.resource.kind.is_data
        return self.found is not None and not self.foreign and not kept


def candidates(stack: Stack, remote: RemoteState, claims: Claims = NO_CLAIMS) -> list[Candidate]:
    """Resources of a stack, last made first; what can't be read is among them, with the reason.

    With the claim to all, those of Scaler's own provisioner are, too.
    """
    upstream = upstream_resources(stack) if claims.adopt else []
    known = [*upstream, *known_resources(stack, remote)]
    return [_candidate(resource, remote, claims) for resource in reversed(known)]


def plan_cleanup(found: Sequence[Candidate], stack: Stack, clients: Clients, *, keep_data: bool) -> Plan:
    """Plan of a cleanup for people, without steps: each resource is read again when its turn comes."""
    changes = [
        Change(PlanAction.DELETE, one.resource.kind, one.resource.name)
        for one in found
        if one.is_doomed(keep_data=keep_data)
    ]
    return Plan(tuple(changes), tuple(_notes(found, stack, clients, keep_data=keep_data)))


class StackCleaner:
    """Remover of candidates. `report` is called with every step and with how each removal ended."""

    def __init__(
        self,
        stack: Stack,
        clients: Clients,
        report: Callable[[Removal], None],
        *,
        claims: Claims = NO_CLAIMS,
        keep_data: bool = False,
        wait_policy: WaitPolicy | None = None,
    ) -> None:
        self._stack = stack
        self._clients = clients
        self._report = report
        self._claims = claims
        self._keep_data = keep_data
        self._executor = PlanExecutor(clients, self._report_step, wait_policy)
        self._dependents: dict[ResourceKind, str] = {}  # what is still there, by the kinds that it needs
        self._why: dict[str, str] = {}

    def run(self, found: Sequence[Candidate]) -> list[Remains]:
        """Remove all that can be removed; return what a second reading still finds."""
        for candidate in found:
            removal = self._remove(candidate)
            self._report(removal)
            self._why[candidate.resource.key] = removal.text
            if removal.state in (StepState.FAILED, StepState.SKIPPED):
                self._hold(candidate.resource)
        return self._remains()

    def _remove(self, candidate: Candidate) -> Removal:
        resource = candidate.resource
        if candidate.unread:
            return self._removal(resource, StepState.FAILED, candidate.unread)
        if candidate.found is None:
            return self._removal(resource, StepState.GONE)
        if candidate.foreign:
            why = f"somebody else's: it lacks the tag {TAG}={self._stack.prefix}"
            return self._removal(resource, StepState.SKIPPED, why)
        if self._keep_data and resource.kind.is_data:
            return self._removal(resource, StepState.KEPT, "--keep-data")
        if dependent := self._dependents.get(resource.kind):
            return self._removal(resource, StepState.SKIPPED, f"{dependent} is still there and needs it")
        return self._try(resource)

    def _try(self, resource: Resource) -> Removal:
        """Reads again first: what was removed before it may have changed it."""
        try:
            return self._removal(resource, self._delete_surely(resource))
        except ProvisionError as error:
            if self._is_gone(resource):
                return self._removal(resource, StepState.GONE)
            return self._removal(resource, StepState.FAILED, str(error))

    def _delete_surely(self, resource: Resource) -> StepState:
        """Tries again, once, when a step may have been done although AWS refused it."""
        try:
            return self._delete(resource)
        except StepFailed as error:
            if not error.may_be_done:
                raise
            return self._delete(resource)

    def _delete(self, resource: Resource) -> StepState:
        remote = RemoteState(self._clients)
        found = resource.read(remote)
        if found is None:
            return StepState.GONE
        steps = tuple(resource.delete(found, remote))
        self._executor.apply(Change(PlanAction.DELETE, resource.kind, resource.name, steps=steps))
        return StepState.DONE

    def _is_gone(self, resource: Resource) -> bool:
        """True also when another cleanup removed it at the same time."""
        try:
            return resource.read(RemoteState(self._clients)) is None
        except ProvisionError:
            return False

    def _hold(self, resource: Resource) -> None:
        for kind in resource.needs:
            self._dependents.setdefault(kind, f"{resource.kind} {resource.name}")

    def _remains(self) -> list[Remains]:
        return [
            Remains(one.resource.kind, one.resource.name, self._reason(one), one.resource.remove_command)
            for one in candidates(self._stack, RemoteState(self._clients), self._claims)
            if one.unread or one.is_doomed(keep_data=self._keep_data)
        ]

    def _reason(self, one: Candidate) -> str:
        return one.unread or self._why.get(one.resource.key) or "it came back"

    def _report_step(self, progress: Progress) -> None:
        if progress.state is StepState.RUNNING:
            change = progress.change
            self._report(Removal(change.kind, change.name, StepState.RUNNING, progress.text))

    def _removal(self, resource: Resource, state: StepState, text: str = "") -> Removal:
        return Removal(resource.kind, resource.name, state, text)


def _candidate(resource: Resource, remote: RemoteState, claims: Claims) -> Candidate:
    try:
        found = resource.read(remote)
    except ProvisionError as error:
        return Candidate(resource, None, unread=f"it could not be read: {error}")
    return Candidate(resource, found, foreign=found is not None and not claims.covers(resource, found))


def _notes(found: Sequence[Candidate], stack: Stack, clients: Clients, *, keep_data: bool) -> list[str]:
    notes = [f"{one.resource.kind} {one.resource.name}: {one.unread}" for one in found if one.unread]
    notes += [
        f"{one.resource.kind} {one.resource.name} stays: somebody else made it (take it over with --adopt)."
        for one in found
        if one.foreign
    ]
    if keep_data:
        notes.append(f"The {' and the '.join(DATA)} stay (--keep-data).")
    elif any(one.resource.kind is ResourceKind.BUCKET and one.is_doomed(keep_data=False) for one in found):
        kept = "scaler-batch cleanup --keep-data keeps both"
        notes.append(f"Everything in the bucket {stack.bucket} is deleted, and all logs ({kept}).")
    if any(one.found and one.resource.kind is ResourceKind.JOB_QUEUE for one in found):
        notes += _notes_of_jobs(clients, stack.job_queue)
    return notes


def _notes_of_jobs(clients: Clients, queue: str) -> list[str]:
    try:
        count = len(living_jobs(clients, queue))
    except ProvisionError as error:
        return [f"The jobs of {queue} could not be counted: {error}"]
    if not count:
        return []
    many = f"{count} jobs of {queue} have" if count > 1 else f"1 job of {queue} has"
    return [f"{many} not ended, where an array counts as one: AWS ends all of it."]
