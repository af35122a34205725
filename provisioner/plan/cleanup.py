"""The removal of a stack: in the order that AWS accepts, each resource on its own, and then another look.

A resource that can't be removed keeps what it stands on, and nothing else: its roles, its security group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from provisioner.clients import Clients
from provisioner.errors import ProvisionError, StepFailed
from provisioner.plan.catalog import possible
from provisioner.plan.executor import PlanExecutor, Progress, StepState
from provisioner.plan.model import Change, Plan, PlanAction
from provisioner.plan.planner import NO_CLAIMS, Claims
from provisioner.plan.queued_jobs import living_jobs
from provisioner.plan.remote import RemoteState
from provisioner.plan.waiting import WaitPolicy
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import TAG, Stack

DATA: Final = ("S3 bucket", "log group")
"""Kinds that --keep-data keeps."""


class RemovalOutcome(StrEnum):
    DONE = "done"
    GONE = "already gone"
    FAILED = "failed"
    SKIPPED = "skipped"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Removal:
    """One resource's fate while a cleanup runs; a state of None is a step under way, which `text` tells."""

    kind: str
    name: str
    outcome: RemovalOutcome | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Remains:
    """What is still there afterwards, why, and what a person types to remove it."""

    kind: str
    name: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resource as it was found before anything was removed."""

    resource: Resource
    found: Found | None
    unread: str = ""
    foreign: bool = False


def candidates(stack: Stack, remote: RemoteState, claims: Claims = NO_CLAIMS) -> list[Candidate]:
    """Last made first; what can't be read is among them, with the reason."""
    return [_candidate(resource, remote, claims) for resource in reversed(possible(stack, remote))]


def plan_cleanup(found: Sequence[Candidate], stack: Stack, clients: Clients, *, keep_data: bool) -> Plan:
    """For people to look at, without the steps: each resource is read again when its turn comes."""
    changes = [
        Change(PlanAction.DELETE, one.resource.kind, one.resource.name)
        for one in found
        if one.found and not one.foreign and not (keep_data and one.resource.kind in DATA)
    ]
    return Plan(tuple(changes), tuple(_notes(found, stack, clients, keep_data=keep_data)))


class StackCleaner:
    """Removes candidates. `report` hears of every step and outcome."""

    def __init__(
        self,
        stack: Stack,
        clients: Clients,
        report: Callable[[Removal], None],
        *,
        claims: Claims = NO_CLAIMS,
        keep_data: bool = False,
        pacing: WaitPolicy | None = None,
    ) -> None:
        self._stack = stack
        self._clients = clients
        self._report = report
        self._claims = claims
        self._keep_data = keep_data
        self._executor = PlanExecutor(clients, self._heard, pacing)
        self._held: dict[str, str] = {}  # kinds that something stands on which is still there, and what that is
        self._why: dict[str, str] = {}

    def run(self, found: Sequence[Candidate]) -> list[Remains]:
        """Everything that can go is gone afterwards; returns what is left of it by a fresh look."""
        for candidate in found:
            removal = self._remove(candidate)
            self._report(removal)
            self._why[candidate.resource.key] = removal.text
            if removal.outcome in (RemovalOutcome.FAILED, RemovalOutcome.SKIPPED):
                self._hold(candidate.resource)
        return self._remains()

    def _remove(self, candidate: Candidate) -> Removal:
        resource = candidate.resource
        if candidate.unread:
            return self._as(resource, RemovalOutcome.FAILED, candidate.unread)
        if candidate.found is None:
            return self._as(resource, RemovalOutcome.GONE)
        if candidate.foreign:
            return self._as(
                resource, RemovalOutcome.SKIPPED, f"somebody else's: it lacks the tag {TAG}={self._stack.prefix}"
            )
        if self._keep_data and resource.kind in DATA:
            return self._as(resource, RemovalOutcome.KEPT, "--keep-data")
        if resource.kind in self._held:
            return self._as(
                resource, RemovalOutcome.SKIPPED, f"{self._held[resource.kind]} is still there and needs it"
            )
        return self._try(resource)

    def _try(self, resource: Resource) -> Removal:
        """Reads again first: what was removed before it may have changed it."""
        try:
            return self._as(resource, self._delete_surely(resource))
        except ProvisionError as error:
            gone = self._is_gone(resource)
            return (
                self._as(resource, RemovalOutcome.GONE)
                if gone
                else self._as(resource, RemovalOutcome.FAILED, str(error))
            )

    def _delete_surely(self, resource: Resource) -> RemovalOutcome:
        """Looks again, once, when a step may have been done although AWS refused it."""
        try:
            return self._delete(resource)
        except StepFailed as error:
            if not error.may_be_done:
                raise
            return self._delete(resource)

    def _delete(self, resource: Resource) -> RemovalOutcome:
        remote = RemoteState(self._clients)
        found = resource.read(remote)
        if found is None:
            return RemovalOutcome.GONE
        steps = tuple(resource.delete(found, remote))
        self._executor.apply(Change(PlanAction.DELETE, resource.kind, resource.name, steps=steps))
        return RemovalOutcome.DONE

    def _is_gone(self, resource: Resource) -> bool:
        """Somebody else may have removed it at the same time."""
        try:
            return resource.read(RemoteState(self._clients)) is None
        except ProvisionError:
            return False

    def _hold(self, resource: Resource) -> None:
        for kind in resource.needs:
            self._held.setdefault(kind, f"{resource.kind} {resource.name}")

    def _remains(self) -> list[Remains]:
        return [
            Remains(one.resource.kind, one.resource.name, self._reason(one), one.resource.remove_command)
            for one in candidates(self._stack, RemoteState(self._clients), self._claims)
            if self._is_left(one)
        ]

    def _is_left(self, one: Candidate) -> bool:
        kept = self._keep_data and one.resource.kind in DATA
        return bool(one.unread) or (one.found is not None and not one.foreign and not kept)

    def _reason(self, one: Candidate) -> str:
        return one.unread or self._why.get(one.resource.key) or "it came back"

    def _heard(self, progress: Progress) -> None:
        if progress.state is StepState.RUNNING:
            self._report(Removal(progress.change.kind, progress.change.name, None, progress.text))

    def _as(self, resource: Resource, outcome: RemovalOutcome, text: str = "") -> Removal:
        return Removal(resource.kind, resource.name, outcome, text)


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
    elif any(one.found and not one.foreign and one.resource.name == stack.bucket for one in found):
        notes.append(f"Everything in the bucket {stack.bucket} is deleted, and all logs (--keep-data keeps both).")
    if any(one.found and one.resource.name == stack.job_queue for one in found):
        notes += _notes_of_jobs(clients, stack.job_queue)
    return notes


def _notes_of_jobs(clients: Clients, queue: str) -> list[str]:
    try:
        count = len(living_jobs(clients, queue))
    except ProvisionError as error:
        return [f"The jobs of {queue} could not be counted: {error}"]
    return [f"{count} jobs of {queue} have not ended: they are terminated."] if count else []
