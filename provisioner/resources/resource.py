"""Resource of a stack: how it is read, what it should be, and the steps from one to the other. One module each.

Resources read through `RemoteState` and answer with instructions; they change nothing themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.field_changes import differences
from provisioner.plan.model import FieldChange, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import TAG, Stack
from provisioner.stack.spec import ProvisionSpec

READY: Final = frozenset({"VALID"})
SETTLED: Final = frozenset({"VALID", "INVALID"})
GONE: Final[frozenset[str]] = frozenset()
"""Statuses that AWS Batch's environments and queues are waited for: usable, changeable again, deleted.
https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeEnvironmentDetail.html"""

TemplateResource = tuple[str, Document]
"""Type and properties of a resource in a CloudFormation template."""


@dataclass(frozen=True, slots=True)
class ObservedResource:
    """Resource as it lives. `properties` have the shape of `Resource.desired`, tags among them.

    `state` is AWS's own word for how it is, or "present"; `detail` is a few words for people; `kept` is what a
    change or a removal needs besides: ids, and what of others' must be put back. `advice` is a sentence on what
    nothing asks for and could be done.
    """

    properties: Document
    state: str = "present"
    detail: str = ""
    kept: Document = field(default_factory=dict)
    advice: str = ""

    def is_of(self, stack: Stack) -> bool:
        """True when it carries the tag of the stack."""
        tags = self.properties.get("tags") or {}
        return isinstance(tags, Mapping) and tags.get(TAG) == stack.prefix


class Resource(ABC):
    """Resource of a stack, by name."""

    kind: ClassVar[ResourceKind]

    needs: ClassVar[tuple[ResourceKind, ...]] = ()
    """Kinds that must be there before it is, and stay until it is gone."""

    shared: ClassVar[bool] = False
    """Of the account, not of the stack: it carries no tag of ours and is never deleted."""

    outlives_spec: ClassVar[bool] = False
    """Not deleted by a provisioning whose spec no longer asks for it, only by a cleanup."""

    replaced_with_dependents: ClassVar[bool] = False
    """AWS deletes none that others stand on: they are replaced with it."""

    permanent: ClassVar[frozenset[str]] = frozenset()
    """Properties that AWS can't change: to change them the resource is replaced."""

    exact: ClassVar[frozenset[str]] = frozenset()
    """Properties that AWS keeps as they were sent, and that grant something: more in them is a difference, too."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.name = name

    @property
    @abstractmethod
    def arn(self) -> str:
        """ARN as far as it is known without asking AWS."""

    @property
    @abstractmethod
    def remove_command(self) -> str:
        """AWS CLI commands by which a person removes it by hand."""

    def is_desired(self, spec: ProvisionSpec) -> bool:
        """True when the spec asks for it."""
        return True

    @abstractmethod
    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Resource as it lives; None when it doesn't exist. Raises `CallFailed`, `ProvisionError`."""

    @abstractmethod
    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Properties as the spec asks for them; a `Variable` where only AWS will know."""

    @abstractmethod
    def create(self, desired: Document) -> list[Instruction]:
        """Steps that make it with the desired properties."""

    @abstractmethod
    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Steps that change it in place.

        `changed` are the first-level properties that differ; none when it only has to become ready.
        """

    @abstractmethod
    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Steps that remove it."""

    @abstractmethod
    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Resources of a CloudFormation template with the desired properties; none for what the account has anyway."""

    def compare(self, found: ObservedResource | None, desired: Document) -> tuple[FieldChange, ...]:
        """Changes from what lives, or from nothing, to what is desired."""
        return differences(found.properties if found else {}, desired, exact=self.exact)

    def notes(self, found: ObservedResource | None, desired: Document) -> tuple[str, ...]:
        """Notes for people about what a plan can't do, or counts on; none for most."""
        return ()

    def takes_key(self, found: ObservedResource | None, desired: Document) -> bool:
        """True when a plan puts it under the stack's KMS key, and it is AWS that uses the key, not who calls."""
        return False

    def note_of_update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> str:
        """Note for people about what an update brings with it; empty for most."""
        return ""

    def must_settle(self, found: ObservedResource) -> bool:
        """True when nothing differs and it still isn't usable: then `update` is asked for the wait."""
        return False

    def must_replace(self, found: ObservedResource, changed: frozenset[str]) -> bool:
        """True when the changed properties, or its state, can't be mended in place."""
        return bool(changed & self.permanent)

    @property
    def key(self) -> str:
        """Identity among all resources of the stack."""
        return f"{self.kind} {self.name}"
