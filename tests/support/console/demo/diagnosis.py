"""Diagnoses of the made-up engine: a queue without capacity, and one where all is well."""

from __future__ import annotations

from engine.telemetry.schema.messages import CheckResult, CheckStatus, Diagnosis, Remedy, VerdictKind

REASON = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type "
    "[c6i.large]"
)
NOT_RUN = "no job waits"


def without_capacity(now: float, subject: str) -> Diagnosis:
    """Every result that a check can have."""
    return Diagnosis(
        subject=subject,
        verdict="blocked by capacity",
        certainty="AWS says so",
        text="The job at the head waits for c6i.large in eu-west-1b, and AWS has none at the moment.",
        reason=REASON,
        checks=_checks(now),
        remedies=(
            Remedy(
                "let ce-spot-c6i use more instance types",
                "aws batch update-compute-environment --compute-environment ce-spot-c6i --compute-resources "
                "instanceTypes=c6i.large,c6a.large,m6i.large --region eu-west-1",
            ),
            Remedy(
                "let AWS cancel a job that blocks the queue for 15 minutes",
                "aws batch update-job-queue --job-queue pricing-spot-queue --job-state-time-limit-actions "
                "'reason=CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY,state=RUNNABLE,maxTimeSeconds=900,action=CANCEL' "
                "--region eu-west-1",
            ),
            Remedy("ask for less: in the job definition, or as `vcpus` and `memory` of the task's capabilities"),
        ),
        at=now - 2,
        kind=VerdictKind.BLOCKED,
    )


def nothing_stuck(now: float, subject: str) -> Diagnosis:
    names = [check.name for check in _checks(now)]
    checks = (
        CheckResult(names[0], CheckStatus.PASS, "ENABLED, VALID", "batch:DescribeJobQueues", now),
        CheckResult(names[1], CheckStatus.PASS, "ce-spot-c6i VALID", "batch:DescribeComputeEnvironments", now),
        *(CheckResult(name, CheckStatus.NOT_RUN, NOT_RUN) for name in names[2:10]),
        *_checks(now)[10:],
    )
    text = "No job of queue pricing-spot-queue waits for a place."
    return Diagnosis(subject, "nothing is stuck", "by evidence", text, "", checks, (), now, VerdictKind.HEALTHY)


def _checks(now: float) -> tuple[CheckResult, ...]:
    ecs, ec2 = "ecs:DescribeClusters", "ec2:DescribeInstanceTypes"
    return (
        CheckResult("the queue takes jobs", CheckStatus.PASS, "ENABLED, VALID", "batch:DescribeJobQueues", now - 2),
        CheckResult(
            "compute environments are valid",
            CheckStatus.PASS,
            "ce-spot-c6i VALID, ce-od-c6i VALID",
            "batch:DescribeComputeEnvironments",
            now - 2,
        ),
        CheckResult("what AWS says of the job", CheckStatus.FAIL, REASON, "batch:DescribeJobs", now - 2),
        CheckResult(
            "maxvCpus leaves room", CheckStatus.PASS, "1,068 of 4,096 vCPUs are in use", "batch:DescribeJobs", now - 2
        ),
        CheckResult(
            "the job fits an instance type", CheckStatus.PASS, "2 vCPUs and 4,096 MiB fit c6i.large", ec2, now - 9
        ),
        CheckResult(
            "instances can be launched",
            CheckStatus.FAIL,
            "31 launches failed, the last one: InsufficientInstanceCapacity",
            "autoscaling:DescribeScalingActivities",
            now - 9,
        ),
        CheckResult(
            "the account's vCPU quota",
            CheckStatus.WARN,
            "1,914 of 2,000 Spot vCPUs are in use",
            "servicequotas:GetServiceQuota",
            now - 12,
        ),
        CheckResult("instances join the cluster", CheckStatus.PASS, "267 of 267 agents are connected", ecs, now - 9),
        CheckResult(
            "the instances' role",
            CheckStatus.UNKNOWN,
            "AccessDenied iam:GetInstanceProfile: grant it or skip",
            "iam:GetInstanceProfile",
            now - 9,
        ),
        CheckResult("the image is there", CheckStatus.NOT_RUN, "the cause is certain without it"),
        CheckResult(
            "jobs can be submitted", CheckStatus.PASS, "credentials are valid, all links are up", "engine", now
        ),
        CheckResult(
            "our own concurrency limit", CheckStatus.PASS, "534 of 1,000 slots: we are not the limiter", "engine", now
        ),
        CheckResult(
            "SubmitJob throttling",
            CheckStatus.WARN,
            "46 of 50 a second, throttled 14 times in the last five minutes",
            "engine",
            now,
        ),
    )
