"""Table of all checks, in the order in which they are read and shown: AWS Batch itself first, the image last.

The diagnosis, its judge and the doctor go by it; the why screen shows what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from engine.diagnosis.assessment import Assessment, unknown
from engine.diagnosis.checks import (
    egress,
    environments,
    image,
    instance_fit,
    instance_role,
    instances,
    job,
    launches,
    queue,
    queue_position,
    quotas,
    subnets,
    vcpu_limit,
)
from engine.diagnosis.evidence import CheckId, Evidence, Fact
from engine.diagnosis.model import CheckResult, CheckStatus
from engine.diagnosis.reads import Reader

T = TypeVar("T")

NOT_NEEDED: Final = "not needed: these environments start no EC2 instances of their own"


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One row: what is read for it, and how that is assessed."""

    id: CheckId
    title: str
    fact: Callable[[Evidence], Fact[T] | None]
    """What `assess` judges, of the evidence."""
    read: Callable[[Reader, Evidence], Evidence] | None
    """Adds the fact; None when another check reads it."""
    assess: Callable[[Evidence, T | None], Assessment]
    ec2_only: bool = False
    of_stack: bool = False
    """Says something without a job that waits, too: the doctor's."""
    when_starting: bool = False
    """Says something of a job that has a place already."""

    def assessment(self, evidence: Evidence) -> Assessment | None:
        """None when its fact was not read."""
        fact = self.fact(evidence)
        if fact is None:
            return None
        return unknown(fact.error) if fact.error else self.assess(evidence, fact.value)

    def result(self, evidence: Evidence, why_not: str) -> CheckResult:
        """The check as it is published; `why_not` it was run, when it was not."""
        assessment, fact = self.assessment(evidence), self.fact(evidence)
        if assessment is None or fact is None:
            needless = self.ec2_only and evidence.known_environments and not evidence.ec2_environments
            text = NOT_NEEDED if needless else why_not
            return CheckResult(self.title, CheckStatus.NOT_RUN, text, id=self.id)
        return CheckResult(self.title, assessment.result, assessment.evidence, fact.source, fact.at, self.id)


CHECKS: Final[tuple[Check[Any], ...]] = (
    Check(
        CheckId.QUEUE,
        "the queue takes jobs",
        lambda evidence: evidence.queue,
        queue.read,
        queue.assess,
        of_stack=True,
        when_starting=True,
    ),
    Check(
        CheckId.ENVIRONMENTS,
        "compute environments are valid",
        lambda evidence: evidence.environments,
        environments.read,
        environments.assess,
        of_stack=True,
        when_starting=True,
    ),
    Check(CheckId.JOB, "what AWS says of the job", lambda evidence: evidence.job, job.read, job.assess),
    Check(CheckId.VCPU_LIMIT, "maxvCpus leaves room", lambda evidence: evidence.job, None, vcpu_limit.assess),
    Check(
        CheckId.QUEUE_POSITION,
        "place in the queue",
        lambda evidence: evidence.queue_position,
        queue_position.read,
        queue_position.assess,
    ),
    Check(
        CheckId.INSTANCE_FIT,
        "the job fits an instance type",
        lambda evidence: evidence.instance_types,
        instance_fit.read,
        instance_fit.assess,
        ec2_only=True,
        of_stack=True,
        when_starting=True,
    ),
    Check(
        CheckId.LAUNCHES,
        "instances can be launched",
        lambda evidence: evidence.launches,
        launches.read,
        launches.assess,
        ec2_only=True,
    ),
    Check(
        CheckId.QUOTAS,
        "the account's vCPU quota",
        lambda evidence: evidence.quotas,
        quotas.read,
        quotas.assess,
        of_stack=True,
    ),
    Check(
        CheckId.INSTANCES,
        "instances join the cluster",
        lambda evidence: evidence.instances,
        instances.read,
        instances.assess,
        ec2_only=True,
    ),
    Check(
        CheckId.INSTANCE_ROLE,
        "the instances' role",
        lambda evidence: evidence.instance_role,
        instance_role.read,
        instance_role.assess,
        ec2_only=True,
        of_stack=True,
    ),
    Check(
        CheckId.SUBNETS,
        "free addresses in the subnets",
        lambda evidence: evidence.subnets,
        subnets.read,
        subnets.assess,
        of_stack=True,
    ),
    Check(
        CheckId.EGRESS,
        "the subnets' way to AWS",
        lambda evidence: evidence.egress,
        egress.read,
        egress.assess,
        of_stack=True,
    ),
    Check(
        CheckId.IMAGE,
        "the image is there",
        lambda evidence: evidence.image,
        image.read,
        image.assess,
        of_stack=True,
        when_starting=True,
    ),
)
