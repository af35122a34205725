"""Doctor: examines everything that jobs need, and finds the fix of each thing that isn't well."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.diagnosis.reads import Fetch, Reader, fetch_url
from provisioner.clients import Clients
from provisioner.doctor import scheduler
from provisioner.doctor.finding import Finding
from provisioner.doctor.identity import Identity, check_credentials, check_region, home_region
from provisioner.doctor.kms_key import check_key
from provisioner.doctor.permissions import check_permissions
from provisioner.doctor.python_version import check_python_version
from provisioner.doctor.reads import ClientReads
from provisioner.doctor.scheduler import check_scheduler
from provisioner.doctor.stack_health import StackExpectation, check_stack, gather
from provisioner.doctor.stack_resources import check_resources
from provisioner.plan.planner import stack_of
from provisioner.stack.saved_state import entry_key, load
from provisioner.stack.spec import ProvisionSpec, check

CALLS_PER_S: Final = 10.0
"""A person waits for it, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorRequest:
    """Stack to examine. `config` is the file that tells what was provisioned, `scheduler` is tcp://host:port."""

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
            scheduler.parse_address(self.scheduler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Reads the account without changing anything."""

    clients: Clients
    request: DoctorRequest
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    connect: scheduler.Connect = scheduler.connect
    fetch: Fetch = fetch_url
    version: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)

    def examine(self) -> list[Finding]:
        """Run all checks; without credentials or region only those.

        Raises `ConfigError` for a region or prefix that can't be, `ProvisionError` for an unreadable file.
        """
        reads = ClientReads(self.clients)
        reader, home = self._reader(reads), self._reader(ClientReads(self.clients.elsewhere(home_region(self.clients))))
        credentials, identity = check_credentials(reader)
        region = check_region(self.clients, home)
        if region.failed:  # its endpoints answer nothing that says something about credentials
            credentials, _ = check_credentials(home)
        reached = check_scheduler(self.request.scheduler, self.connect)
        if identity is None or region.failed:
            return [credentials, region, reached]
        return [credentials, region, *self._examine_account(reader, reads, identity), reached]

    def _reader(self, reads: ClientReads) -> Reader:
        return Reader(reads, self.clock, self.sleep, CALLS_PER_S, self.fetch)

    def _examine_account(self, reader: Reader, reads: ClientReads, identity: Identity) -> list[Finding]:
        expected = self._expectation()
        evidence = gather(reader, self.clients, expected)
        image = evidence.image.value if evidence.image is not None else None
        python = check_python_version(image, self.version, expected.stack)
        health = check_stack(evidence, expected)
        # last: where IAM may not be asked, they tell from what was denied to the reads before
        permissions = check_permissions(reader, reads, identity, expected.spec, expected.stack)
        resources = [check_resources(self.clients, expected.spec, expected.stack)] if expected.provisioned else []
        stack = expected.stack.encrypted(expected.spec.kms_key)
        keys = [check_key(reader, expected.spec, stack)] if stack.owns_key else []
        return [*permissions, *health, *resources, *keys, python]

    def _expectation(self) -> StackExpectation:
        request = self.request
        stack = stack_of(request.region, request.prefix, self.clients)
        saved = load(request.config).get(entry_key(stack.account, request.region, request.prefix))
        spec = saved.spec if saved else ProvisionSpec(image=None, region=request.region, prefix=request.prefix)
        provisioned = saved is not None and saved.complete
        return StackExpectation(stack=stack, spec=spec, provisioned=provisioned, max_vcpus=request.max_vcpus)
