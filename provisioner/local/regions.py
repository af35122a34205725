"""Regions of the local AWS: each has a Batch, logs and networks of its own, made when it is first asked for.

The region of a request is that of its signature: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html.
IAM, STS and the buckets are the whole account's. moto keeps what is its own apart by the same scope.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from provisioner.local.account.default_route import DefaultRoute
from provisioner.local.account.ec2_rules import Ec2Rules
from provisioner.local.account.kms_rules import KmsRules
from provisioner.local.account.quotas_api import QuotasApi
from provisioner.local.batch.api import BatchApi
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.http.server import HttpRequest, HttpResponse
from provisioner.local.logs.logs_api import LogsApi


@dataclass(frozen=True, slots=True)
class RegionalServices:
    """The services of one region, and the jobs that run there."""

    lifecycle: Lifecycle
    batch: BatchApi
    logs: LogsApi
    quotas: QuotasApi
    ec2: Ec2Rules
    kms: KmsRules
    default_route: DefaultRoute
    ecr: Callable[[HttpRequest], HttpResponse]


class Regions:
    """Regions by name; `make` makes one. Safe for threads."""

    def __init__(self, make: Callable[[str], RegionalServices]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[str, RegionalServices] = {}

    def of(self, name: str) -> RegionalServices:
        """The region of that name."""
        found = self._made.get(name)
        if found is not None:
            return found
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    @property
    def lifecycles(self) -> list[Lifecycle]:
        """The jobs of every region that was asked for."""
        return [one.lifecycle for one in list(self._made.values())]
