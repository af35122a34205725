"""What `doctor` finds: every check with its evidence, and the fix of each that isn't well."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.diagnosis.model import CheckStatus
from engine.diagnosis.probes.image import Fetch, fetch
from engine.diagnosis.reads import Reader
from provisioner.clients import Clients
from provisioner.doctor import identity, permissions, python_version, scheduler, stack_health
from provisioner.doctor.finding import Finding
from provisioner.doctor.permissions import Need
from provisioner.doctor.reads import ClientReads
from provisioner.doctor.stack_health import StackExpectation
from provisioner.export.policies import Principal, policies
from provisioner.plan.planner import stack_of
from provisioner.stack.saved_state import entry_key, load
from provisioner.stack.spec import ProvisionSpec, check

CALLS_PER_S: Final = 10.0
"""A person waits for it, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorRequest:
    """What is looked at. `scheduler` as tcp://host:port."""

    region: str
    prefix: str
    config: Path
    max_vcpus: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Raises `ConfigError`."""
        if self.max_vcpus is not None:
            check("--max-vcpus", self.max_vcpus, self.max_vcpus >= 1, "a whole number of at least 1")
        if self.scheduler is not None:
            scheduler.parse(self.scheduler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Looks without changing anything."""

    clients: Clients
    request: DoctorRequest
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    connect: scheduler.Connect = scheduler.connect
    fetch: Fetch = fetch
    version: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)

    def examine(self) -> list[Finding]:
        """Raises `ConfigError` for a region or prefix that can't be, `ProvisionError` for an unreadable file."""
        reads = ClientReads(self.clients)
        reader = Reader(reads, self.clock, self.sleep, CALLS_PER_S)
        credentials, who = identity.look(reader)
        region = identity.look_at_region(self.clients)
        reached = scheduler.look(self.request.scheduler, self.connect)
        if who is None or region.failed:
            return [credentials, region, reached]
        wanted = self._wanted()
        evidence = stack_health.gather(reader, self.clients, wanted, self.fetch)
        python = python_version.look(stack_health.image_of(evidence), self.version, wanted.stack)
        health = stack_health.look(evidence, wanted)
        allowed = [permissions.look(reader, reads, who, wanted.stack, need) for need in _needs(wanted)]
        return [credentials, region, *allowed, *health, python, reached]

    def _wanted(self) -> StackExpectation:
        request = self.request
        stack = stack_of(request.region, request.prefix, self.clients)
        saved = load(request.config).get(entry_key(stack.account, request.region, request.prefix))
        spec = saved.spec if saved else ProvisionSpec(image=None, region=request.region, prefix=request.prefix)
        provisioned = saved is not None and saved.complete
        return StackExpectation(stack=stack, spec=spec, provisioned=provisioned, max_vcpus=request.max_vcpus)


def _needs(wanted: StackExpectation) -> tuple[Need, ...]:
    """Whoever runs a manager need not be able to provision."""
    known = policies(wanted.spec, wanted.stack)
    return (
        Need("may run a worker manager", known[Principal.MANAGER], Principal.MANAGER, CheckStatus.FAIL),
        Need("may provision", known[Principal.PROVISIONER], Principal.PROVISIONER, CheckStatus.WARN),
    )
