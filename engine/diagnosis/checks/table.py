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
from engine.diagnosis.findings import Seen, unknown
from engine.diagnosis.model import Check, Result

NOT_NEEDED: Final = "not needed: these environments start no EC2 instances of their own"


@dataclass(frozen=True, slots=True)
class Rung:
    """`fact` names the field of the evidence that `look` judges."""

    name: str
    fact: str
    look: Callable[[Evidence, Any], Seen]
    only_ec2: bool = False

    def seen(self, evidence: Evidence) -> Seen | None:
        """None when its fact was not read."""
        fact = self._fact(evidence)
        if fact is None:
            return None
        return unknown(fact.trouble) if fact.trouble else self.look(evidence, fact.value)

    def check(self, evidence: Evidence, why_not: str) -> Check:
        seen, fact = self.seen(evidence), self._fact(evidence)
        if seen is None or fact is None:
            needless = self.only_ec2 and evidence.known_environments and not evidence.launching
            return Check(self.name, Result.NOT_RUN, NOT_NEEDED if needless else why_not)
        return Check(self.name, seen.result, seen.evidence, fact.source, fact.at)

    def _fact(self, evidence: Evidence) -> Fact[Any] | None:
        fact: Fact[Any] | None = getattr(evidence, self.fact)
        return fact


LADDER: Final = (
    Rung("the queue takes jobs", "queue", queue.look),
    Rung("compute environments are valid", "environments", environments.look),
    Rung("what AWS says of the job", "job", reasons.look),
    Rung("maxvCpus leaves room", "job", vcpu_limit.look),
    Rung("place in the queue", "place", queue_position.look),
    Rung("the job fits an instance type", "types", instance_fit.look, only_ec2=True),
    Rung("instances can be launched", "launches", launches.look, only_ec2=True),
    Rung("the account's vCPU quota", "quotas", quotas.look),
    Rung("instances join the cluster", "instances", instances.look, only_ec2=True),
    Rung("the instances' role", "role", role.look, only_ec2=True),
    Rung("free addresses in the subnets", "subnets", subnets.look),
    Rung("the subnets' way to AWS", "ways", egress.look),
    Rung("the image is there", "image", image.look),
)
