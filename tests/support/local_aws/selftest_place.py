"""A local AWS with a provisioned stack, as the selftest finds it, which a test can spoil."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from provisioner.local.aws import LocalAWS
from provisioner.selftest.place import SelftestPlace, place_here


@dataclass(frozen=True)
class LocalSelftest:
    """The place, and the local AWS behind it."""

    place: SelftestPlace
    aws: LocalAWS
    vcpus: int

    def bound_vcpus(self, vcpus: int) -> None:
        """Let the environment have so many vCPUs, whatever was provisioned."""
        assert self.place.target.stack is not None
        change = {
            "computeEnvironment": self.place.target.stack.compute_environment,
            "computeResources": {"maxvCpus": vcpus},
        }
        self.place.clients.call("batch", "update_compute_environment", change)


@contextmanager
def local_selftest() -> Iterator[LocalSelftest]:
    with place_here() as place:
        assert place.local_aws is not None
        assert place.target.saved is not None
        yield LocalSelftest(place, place.local_aws, place.target.saved.max_vcpus)
