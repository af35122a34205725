"""Health of a stack, from evidence that was gathered: what is missing, and which fixes make sense."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis.checks.table import CHECKS
from engine.diagnosis.evidence import CheckId, Environment, Evidence, Fact, VcpuQuota
from engine.diagnosis.model import CheckStatus, RemedyTarget
from provisioner.doctor.finding import Finding
from provisioner.doctor.stack_health import StackExpectation, check_stack
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION

STACK = Stack(REGION, "scaler-batch", ACCOUNT, "aws")
EXPECTED = StackExpectation(stack=STACK, spec=ProvisionSpec(image=None), provisioned=False)
PLANNED = Environment(
    name="scaler-batch-compute",
    arn="",
    state="ENABLED",
    status="VALID",
    reason="",
    kind="EC2",
    on_ecs=True,
    max_vcpus=256,
    desired_vcpus=0,
    instance_types=("m6i",),
    subnets=(),
    instance_role="",
    cluster="",
)
LIVING = replace(PLANNED, arn=f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/scaler-batch-compute")


def evidence(environment: Environment, **facts: object) -> Evidence:
    found = Evidence(
        queue_name="scaler-batch-queue",
        job_id=None,
        now=0.0,
        fallback_region=REGION,
        queue=Fact("batch:DescribeJobQueues", 0.0),
        environments=Fact("", 0.0, (environment,)),
        job=Fact("batch:DescribeJobDefinitions", 0.0),
    )
    return replace(found, **facts)  # type: ignore[arg-type]


def findings(found: Evidence, expected: StackExpectation = EXPECTED) -> dict[str, Finding]:
    return {one.check.id: one for one in check_stack(found, expected)}


def no_types(environment: Environment) -> Evidence:
    return evidence(environment, instance_types=Fact("ec2:DescribeInstanceTypes", 0.0, ()))


def test_what_does_not_exist_yet_is_not_to_be_updated() -> None:
    """Whatever the fixes say: it hangs on what they work on."""
    living = findings(no_types(LIVING))[CheckId.INSTANCE_FIT]
    assert (living.failed, [fix.target for fix in living.fixes]) == (True, [RemedyTarget.ENVIRONMENT])
    planned = findings(no_types(PLANNED))[CheckId.INSTANCE_FIT]
    assert (planned.failed, planned.fixes) == (True, ())


def test_the_quota_is_held_against_what_was_asked_for() -> None:
    quotas = Fact("servicequotas:GetServiceQuota", 0.0, (VcpuQuota("EC2", "ec2", "L-1", 300.0, "EC2"),))
    found = evidence(PLANNED, quotas=quotas)
    assert findings(found)[CheckId.QUOTAS].check.result is CheckStatus.PASS
    larger = findings(found, replace(EXPECTED, max_vcpus=500))[CheckId.QUOTAS]
    assert (larger.check.result, [fix.target for fix in larger.fixes]) == (CheckStatus.WARN, [RemedyTarget.QUOTA])


def test_what_is_missing_is_a_fault_only_when_it_was_provisioned() -> None:
    missing = CheckId.QUEUE, CheckId.JOB_DEFINITION
    before = findings(evidence(PLANNED))
    assert [before[id_].check.result for id_ in missing] == [CheckStatus.WARN] * 2
    after = findings(evidence(PLANNED), replace(EXPECTED, provisioned=True))
    assert [after[id_].check.result for id_ in missing] == [CheckStatus.FAIL] * 2
    assert before[CheckId.ENVIRONMENTS].check.result is CheckStatus.NOT_RUN


def test_it_shows_the_checks_that_need_no_waiting_job_in_the_order_of_the_table() -> None:
    shown = [one.check.id for one in check_stack(evidence(PLANNED), EXPECTED)]
    assert shown.pop(2) == CheckId.JOB_DEFINITION
    assert shown == [check.id for check in CHECKS if check.of_stack]
