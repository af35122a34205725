"""One module a resource. Each says what it takes to make its resource as asked for, and to remove it.

They read through `RemoteState` and answer with instructions; they change nothing themselves.
"""

from __future__ import annotations

from typing import Protocol

from provisioner.models import Instruction
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec

READY = frozenset({"VALID"})
SETTLED = frozenset({"VALID", "INVALID"})
GONE: frozenset[str] = frozenset()
"""What AWS Batch's environments and queues are waited for: usable, changeable again, deleted."""


class Resource(Protocol):
    """A resource, or a few that live and die together."""

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        """What is still to do, in order; empty when it is as the spec says."""

    def removal(self, remote: RemoteState) -> list[Instruction]:
        """What is left to remove; empty when nothing is there."""
