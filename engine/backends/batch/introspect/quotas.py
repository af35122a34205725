"""Quotas: every limit that work may run into, how much of it is used, and who says so since when.

What AWS must be asked for (compute environments, EC2's quotas) is read by `refresh`, which is called only while
there are viewers; what could not be read is shown as unknown, with the reason. While there may be hosts that cost,
environments are read by `watch_hosts`, too: every minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.aws import limits
from engine.aws.batch_states import UNDER_WAY
from engine.aws.budget import Clock
from engine.aws.calls.operations import (
    DELETE_OBJECTS,
    DESCRIBE_ENVIRONMENTS,
    DESCRIBE_JOBS,
    GET_LOG_EVENTS,
    GET_OBJECT,
    GET_SERVICE_QUOTA,
    LIST_JOBS,
    LIST_OBJECTS,
    PUT_OBJECT,
    SUBMIT_JOB,
    TERMINATE_JOB,
    Operation,
)
from engine.aws.client import AwsClient
from engine.aws.error_text import describe_error
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.quotas import STANDARD_QUOTAS, AccountQuota
from engine.backends.batch.ledger import Ledger
from engine.model import PER_SECOND, IdleHosts, Price, Quota, QuotaId
from engine.pricing.idle_hosts import IdleHostsMeter

ENVIRONMENTS_EVERY_S: Final = 20.0
HOSTS_EVERY_S: Final = 60.0
"""Between two reads of environments without viewers, to count what idle hosts cost."""
ACCOUNT_EVERY_S: Final = 3600.0
QUOTA_READ_TIMEOUT_S: Final = 10.0
HOST_KINDS: Final = ("EC2", "SPOT")
"""Types of compute environments that have hosts of the account's own."""
METERED: Final = (
    SUBMIT_JOB,
    TERMINATE_JOB,
    DESCRIBE_JOBS,
    LIST_JOBS,
    GET_LOG_EVENTS,
    PUT_OBJECT,
    GET_OBJECT,
    LIST_OBJECTS,
    DELETE_OBJECTS,
)


@dataclass(frozen=True, slots=True)
class QuotaReading:
    """One value that AWS was asked for; `limit` None and a note when it could not be read."""

    limit: float | None
    read_at: float
    note: str = ""


class Quotas:
    """Readings of limits. `environments` are DescribeComputeEnvironments' answers, as found at start.

    `job_vcpus` is what the job definition gives a job that asks for nothing else; `wall_clock` gives seconds since
    the epoch.
    """

    def __init__(
        self,
        *,
        client: AwsClient,
        ledger: Ledger,
        environments: Sequence[Mapping[str, Any]],
        job_vcpus: float | None,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._environments = environments
        self._job_vcpus = job_vcpus
        self._clock = clock
        self._wall_clock = wall_clock
        self._read_at = wall_clock()
        self._trouble = ""
        self._account: dict[str, QuotaReading] = {}
        self._environments_due = clock() + ENVIRONMENTS_EVERY_S
        self._hosts_due = float("-inf")
        self._idle = IdleHostsMeter()
        self._account_due = float("-inf")

    def all(self) -> tuple[Quota, ...]:
        """Give all quotas as they are known now."""
        return (*self._vcpus(), *self._account_vcpus(), *self._rates())

    @property
    def idle_vcpus(self) -> float | None:
        """Those of the queue's EC2 hosts, by the last read, that none of our jobs has. None: unknown, or no hosts.

        What jobs of others have in the same environments counts as idle: AWS Batch tells vCPUs of an environment only.
        """
        hosts = self._hosts()
        ours = self._ours()
        if not hosts or None in hosts or ours is None:
            return None
        return max(0.0, sum(one or 0 for one in hosts) - ours)

    @property
    def has_hosts(self) -> bool:
        """Some environments have hosts of the account's own."""
        return bool(self._hosts())

    def idle_hosts(self, price: Price) -> IdleHosts | None:
        """What hosts cost while none of our jobs had them, by this price from now on; None: there are no hosts."""
        return self._idle.view(price, self._clock()) if self.has_hosts else None

    async def watch_hosts(self) -> None:
        """Read environments when that is due while there may be hosts. Nothing is raised."""
        if not self._may_have_hosts():
            self._idle.close(self._clock())
            return
        self._idle.open(self._clock())
        if self._clock() >= self._hosts_due:
            await self._read_environments()

    async def refresh(self) -> None:
        """Read what is due. Nothing is raised: what AWS refuses is in the quota's note."""
        now = self._clock()
        if now >= self._environments_due:
            await self._read_environments()
        if now >= self._account_due:
            self._account_due = now + ACCOUNT_EVERY_S
            for kind in sorted({_kind(one) for one in self._environments} & STANDARD_QUOTAS.keys()):
                self._account[kind] = await self._read_account(STANDARD_QUOTAS[kind])

    # ---- vCPUs

    def _vcpus(self) -> Iterator[Quota]:
        most = [_resources(one).get("maxvCpus") for one in self._environments]
        limit = float(sum(one or 0 for one in most)) if most and None not in most else None
        yield Quota("vCPU of our jobs", self._ours(), limit, "vCPU", "engine", self._wall_clock())
        for one in self._environments:
            yield self._environment(one)

    def _hosts(self) -> list[float | None]:
        """desiredvCpus of environments that have hosts."""
        return [_resources(one).get("desiredvCpus") for one in self._environments if _kind(one) in HOST_KINDS]

    def _may_have_hosts(self) -> bool:
        """There are jobs, or there were hosts at the last read, which AWS Batch ends some minutes after their jobs."""
        return self.has_hosts and (bool(self._ledger.submissions) or any(self._hosts()))

    def _ours(self) -> float | None:
        """vCPUs of jobs that were starting or running at the last poll."""
        total = 0.0
        for submission in self._ledger.submissions.values():
            under_way = sum(submission.summary.get(state, 0) for state in UNDER_WAY)
            each = submission.shape.vcpus or self._job_vcpus
            if under_way and each is None:
                return None
            total += under_way * (each or 0.0)
        return total

    def _environment(self, one: Mapping[str, Any]) -> Quota:
        resources = _resources(one)
        notes = [self._trouble]
        if (one.get("state"), one.get("status")) != ("ENABLED", "VALID"):
            notes.append(f"{one.get('state')}, {one.get('status')}: {one.get('statusReason') or 'no reason given'}")
        if resources.get("desiredvCpus") is None:
            notes.append("AWS doesn't tell what this environment uses")
        return Quota(
            name=f"vCPU {one['computeEnvironmentName']}",
            used=resources.get("desiredvCpus"),
            limit=resources.get("maxvCpus"),
            unit="vCPU",
            source="AWS Batch",
            read_at=self._read_at,
            note="; ".join(filter(None, notes)),
        )

    async def _read_environments(self) -> None:
        now = self._clock()
        self._environments_due, self._hosts_due = now + ENVIRONMENTS_EVERY_S, now + HOSTS_EVERY_S
        arns = [one["computeEnvironmentArn"] for one in self._environments]
        try:
            async with asyncio.timeout(QUOTA_READ_TIMEOUT_S):
                answer = await self._client.call(DESCRIBE_ENVIRONMENTS, tries=1, computeEnvironments=arns)
        except TimeoutError:
            self._trouble = f"AWS did not answer within {QUOTA_READ_TIMEOUT_S:.0f} s"
        except AwsError as error:
            self._trouble = describe_error(error)
        else:
            self._environments, self._read_at, self._trouble = answer["computeEnvironments"], self._wall_clock(), ""
            self._idle.note(self.idle_vcpus, self._clock())

    # ---- the account

    def _account_vcpus(self) -> Iterator[Quota]:
        for kind, reading in self._account.items():
            desired = [_resources(one).get("desiredvCpus") for one in self._environments if _kind(one) == kind]
            used = float(sum(one or 0 for one in desired)) if None not in desired else None
            yield Quota(
                name=STANDARD_QUOTAS[kind].name,
                used=used,
                limit=reading.limit,
                unit="vCPU",
                source="Service Quotas",
                read_at=reading.read_at,
                note=reading.note or "used: by this queue alone; whatever else the account runs comes on top",
            )

    async def _read_account(self, quota: AccountQuota) -> QuotaReading:
        try:
            async with asyncio.timeout(QUOTA_READ_TIMEOUT_S):
                answer = await self._client.call(
                    GET_SERVICE_QUOTA, tries=1, ServiceCode=quota.service, QuotaCode=quota.code
                )
        except TimeoutError:
            return QuotaReading(
                None, self._wall_clock(), f"Service Quotas did not answer within {QUOTA_READ_TIMEOUT_S:.0f} s"
            )
        except AwsError as error:
            unknown = error.action is ErrorAction.ABSENT or error.code == "NoSuchResourceException"
            return QuotaReading(
                None, self._wall_clock(), f"this region has no quota {quota.code}" if unknown else describe_error(error)
            )
        return QuotaReading(float(answer["Quota"]["Value"]), self._wall_clock())

    # ---- calls

    def _rates(self) -> Iterator[Quota]:
        for api in METERED:
            quota = self._rate(api)
            if quota.used or quota.throttles or api is SUBMIT_JOB:
                yield quota

    def _rate(self, api: Operation) -> Quota:
        statistics, bucket = self._client.statistics.of(api.name), self._client.bucket(api)
        fixed = api is SUBMIT_JOB
        note = f"of the whole account; the manager keeps below {api.rate:.0f}" if fixed else ""
        if bucket.current_rate < api.rate:
            note = f"held at {bucket.current_rate:.1f}/s, since AWS throttles"
        return Quota(
            name=api.name,
            used=statistics.per_second,
            limit=limits.SUBMIT_JOB_RATE if fixed else api.rate,
            unit=PER_SECOND,
            source="fixed by AWS" if fixed else "engine",
            read_at=self._wall_clock(),
            throttles=statistics.throttles,
            backoff_s=bucket.backoff_s,
            note=note,
            id=QuotaId.SUBMIT_RATE if fixed else "",
            recent_throttles=statistics.recent_throttles,
        )


def _resources(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    resources: Mapping[str, Any] = environment.get("computeResources") or {}
    return resources


def _kind(environment: Mapping[str, Any]) -> str:
    kind: str = _resources(environment).get("type", "")
    return kind
