"""One module a resource. Each knows how to read its resource, what it should be, and the steps from one to the other.

Resources read through `RemoteState` and answer with instructions; they change nothing themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from provisioner.clients import Document
from provisioner.plan.model import Instruction
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import TAG, Stack
from provisioner.stack.spec import ProvisionSpec

READY: Final = frozenset({"VALID"})
SETTLED: Final = frozenset({"VALID", "INVALID"})
GONE: Final[frozenset[str]] = frozenset()
"""What AWS Batch's environments and queues are waited for: usable, changeable again, deleted."""


@dataclass(frozen=True, slots=True)
class Found:
    """A resource as it lives. `properties` have the shape of `Resource.desired`, tags among them.

    `state` is AWS's own word for how it is, or "present"; `detail` is a few words for people; `kept` is what a
    change or a removal needs besides: ids, and what of others' must be put back.
    """

    properties: Document
    state: str = "present"
    detail: str = ""
    kept: Document = field(default_factory=dict)

    def is_of(self, stack: Stack) -> bool:
        tags = self.properties.get("tags") or {}
        return isinstance(tags, Mapping) and tags.get(TAG) == stack.prefix


class Resource(ABC):
    """A resource of a stack, by name."""

    kind: ClassVar[str]
    """What people call it, like "job queue"."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Kinds that must be there before it is, and stay until it is gone."""

    shared: ClassVar[bool] = False
    """Of the account, not of the stack: it carries no tag of ours and is never deleted."""

    permanent: ClassVar[frozenset[str]] = frozenset()
    """Properties that AWS can't change: to change them the resource is replaced."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.name = name

    @property
    @abstractmethod
    def arn(self) -> str: ...

    @property
    @abstractmethod
    def remove_command(self) -> str:
        """What a person types to remove it by hand."""

    @abstractmethod
    def read(self, remote: RemoteState) -> Found | None:
        """None when it doesn't exist."""

    @abstractmethod
    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Its properties as the spec wants them; a `Variable` where only AWS will know."""

    @abstractmethod
    def create(self, desired: Document) -> list[Instruction]: ...

    @abstractmethod
    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """`changed` are the first-level properties that differ; none when it only has to become ready."""

    @abstractmethod
    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]: ...

    def must_settle(self, found: Found) -> bool:
        """True when nothing differs and it still isn't usable: then `update` is asked for the wait."""
        return False

    def must_replace(self, found: Found, changed: frozenset[str]) -> bool:
        return bool(changed & self.permanent)

    @property
    def key(self) -> str:
        """Tells it from every other resource of its stack."""
        return f"{self.kind} {self.name}"
