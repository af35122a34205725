"""The ladder: what is looked at, in the order in which it is read, cheap first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from engine.diagnosis import reasons
from engine.diagnosis.checks import (
    egress,
    environments,
    image,
    instance_fit,
    instances,
    launches,
    queue,
    queue_position,
    quotas,
    role,
    subnets,
    vcpu_limit,
)
from engine.diagnosis.evidence import Evidence, Fact
from engine.diagnosis.findings import Assessment, unknown
from engine.diagnosis.model import CheckResult, CheckStatus

NOT_NEEDED: Final = "not needed: these environments start no EC2 instances of their own"


@dataclass(frozen=True, slots=True)
class Check:
    """`fact` names the field of the evidence that `look` judges."""

    name: str
    fact: str
    look: Callable[[Evidence, Any], Assessment]
    only_ec2: bool = False

    def seen(self, evidence: Evidence) -> Assessment | None:
        """None when its fact was not read."""
        fact = self._fact(evidence)
        if fact is None:
            return None
        return unknown(fact.trouble) if fact.trouble else self.look(evidence, fact.value)

    def check(self, evidence: Evidence, why_not: str) -> CheckResult:
        seen, fact = self.seen(evidence), self._fact(evidence)
        if seen is None or fact is None:
            needless = self.only_ec2 and evidence.known_environments and not evidence.launching
            return CheckResult(self.name, CheckStatus.NOT_RUN, NOT_NEEDED if needless else why_not)
        return CheckResult(self.name, seen.result, seen.evidence, fact.source, fact.at)

    def _fact(self, evidence: Evidence) -> Fact[Any] | None:
        fact: Fact[Any] | None = getattr(evidence, self.fact)
        return fact


LADDER: Final = (
    Check("the queue takes jobs", "queue", queue.look),
    Check("compute environments are valid", "environments", environments.look),
    Check("what AWS says of the job", "job", reasons.look),
    Check("maxvCpus leaves room", "job", vcpu_limit.look),
    Check("place in the queue", "place", queue_position.look),
    Check("the job fits an instance type", "types", instance_fit.look, only_ec2=True),
    Check("instances can be launched", "launches", launches.look, only_ec2=True),
    Check("the account's vCPU quota", "quotas", quotas.look),
    Check("instances join the cluster", "instances", instances.look, only_ec2=True),
    Check("the instances' role", "role", role.look, only_ec2=True),
    Check("free addresses in the subnets", "subnets", subnets.look),
    Check("the subnets' way to AWS", "ways", egress.look),
    Check("the image is there", "image", image.look),
)
