"""Why jobs wait, asked of a backend on the local AWS."""

from __future__ import annotations

import asyncio

import pytest

from engine.aws.errors import AwsError
from engine.aws.session import AwsSession
from engine.backends.batch.introspect.diagnosis_reads import DiagnosisReads
from engine.backends.protocol import Introspection
from engine.telemetry.schema.messages import CheckResult, CheckStatus, Diagnosis
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import manager_calls, running, work

FIRST, SAID, QUOTA = "the queue takes jobs", "what AWS says of the job", "the account's vCPU quota"


async def diagnosis(introspection: Introspection, job_id: str = "") -> Diagnosis:
    """As soon as it is there."""
    async with asyncio.timeout(60):
        while (answer := introspection.diagnose(job_id)).under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert answer.diagnosis is not None, answer.note
    return answer.diagnosis


def check(found: Diagnosis, name: str) -> CheckResult:
    return next(one for one in found.checks if one.name == name)


@pytest.mark.long  # each of its calls waits half a second for its turn
async def test_a_job_that_waits_is_diagnosed_and_what_is_denied_is_one_check_of_many(aws: LocalAWS) -> None:
    aws.fault("no-capacity:1")
    aws.fault("error:GetServiceQuota:403")
    async with running(aws) as (backend, told):
        stuck = work(abs, -1)
        backend.submit(stuck)
        await told.until(lambda seen: any(one.reason for of in seen.observations.values() for one in of))
        found = await diagnosis(backend.introspection, told.placements[0].job_id)
        assert told.placements[0].job_id in found.subject
        assert found.reason.startswith("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
        assert (check(found, FIRST).result, check(found, SAID).result) == (CheckStatus.PASS, CheckStatus.WARN)
        denied = check(found, QUOTA)
        assert (denied.result, denied.source) == (CheckStatus.UNKNOWN, "servicequotas:GetServiceQuota")
        assert "AccessDenied" in denied.evidence
        aws.clear_faults()
        assert await told.value(stuck) == 1


@pytest.mark.long
async def test_askers_share_the_calls_of_one_diagnosis(aws: LocalAWS) -> None:
    async with running(aws) as (backend, _):
        before = manager_calls(aws).get("batch.DescribeJobQueues", 0)
        found = await asyncio.gather(*(diagnosis(backend.introspection) for _ in range(10)))
        assert {one.verdict for one in found} == {"nothing is stuck"}
        assert manager_calls(aws)["batch.DescribeJobQueues"] == before + 1


async def test_aws_that_does_not_answer_is_told_and_holds_up_nothing(aws: LocalAWS) -> None:
    async with running(aws) as (backend, _):
        aws.fault("ambiguous:DescribeJobQueues")
        found = await diagnosis(backend.introspection)
        assert check(found, FIRST).result is CheckStatus.UNKNOWN


def test_an_answer_that_is_not_aws_s_is_an_error_like_any_other(aws: LocalAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto answers a call that it does not play with a page for browsers."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    reads = DiagnosisReads(session=AwsSession("us-east-1", connections=1))
    try:
        with pytest.raises(AwsError, match="not AWS's"):
            reads.call("iam", "simulate_principal_policy", PolicySourceArn="a" * 20, ActionNames=["s3:GetObject"])
    finally:
        reads.stop()
