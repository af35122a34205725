"""Vocabulary of the selftest: what is tested, what a check says, what a run comes to. The structs are its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from engine.errors import EngineError
from provisioner.errors import ProvisionError
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import DEFAULT_S3_PREFIX

VCPU_HOUR_USD: Final = 0.05
"""A vCPU of EC2 on demand: c7i, c6i and m7i cost 0.0425 to 0.0504 in us-east-1, https://aws.amazon.com/ec2/pricing."""
REQUESTS_HOUR_USD: Final = 0.06
"""Requests of an engine at work: two PUTs or LISTs of S3 a second at most, at 0.005 a thousand, and as much in hand."""


class SelftestVerdict(StrEnum):
    """What came of a check."""

    PASS = "pass"
    FAIL = "FAIL"
    SKIPPED = "skipped"


class CheckFailed(EngineError):
    """The check's claim doesn't hold; the text is the evidence."""


class CheckSkipped(EngineError):
    """The check can't be made here; the text says why."""


class NothingToTest(ProvisionError):
    """There is no stack to test, or its parts can't be found."""


@dataclass(frozen=True, slots=True)
class SelftestTarget:
    """Place that jobs run in. `stack` is None for resources that somebody else's tool made, `saved` where none is."""

    region: str
    job_queue: str
    job_definition: str
    bucket: str
    s3_prefix: str = DEFAULT_S3_PREFIX
    vcpus: float = 1.0
    stack: Stack | None = None
    saved: Provisioned | None = None


@dataclass(frozen=True, slots=True)
class SelftestPatience:
    """Seconds to wait: for a job when an instance has to start first, for anything else; how long a task naps.

    `limit_s` bounds the whole run: checks that would begin later are skipped. `look_s` is the pause between looks.
    """

    start_s: float = 300.0
    job_s: float = 90.0
    nap_s: float = 15.0
    limit_s: float = 600.0
    look_s: float = 1.0


class SelftestOutcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="check"):
    """Outcome of one check, with its evidence. `usd` are the vCPU seconds of its jobs and the requests of its time."""

    check: str
    verdict: SelftestVerdict
    evidence: str
    seconds: float
    usd: float


class SelftestReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="done"):
    """Report of a selftest. `cleaned` says what was taken away at the end, `left` what could not be."""

    region: str
    job_queue: str
    manager_id: str
    outcomes: tuple[SelftestOutcome, ...]
    cleaned: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float
    usd: float

    @property
    def passed(self) -> bool:
        """True when every check passed and nothing is left."""
        return not self.left and all(one.verdict is SelftestVerdict.PASS for one in self.outcomes)


def cost_usd(vcpu_seconds: float, seconds: float) -> float:
    """Price of so many vCPU seconds in jobs, within `seconds` of an engine's requests."""
    return (vcpu_seconds * VCPU_HOUR_USD + seconds * REQUESTS_HOUR_USD) / 3600
