"""One account each, wrong in one way: which verdict, how certain, which check fails, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, VerdictKind
from tests.support.engine.diagnosed_account import (
    AWS,
    CAPACITY,
    EVIDENCE,
    JOB,
    MAY_PASS,
    NO_MATCH,
    Account,
    activity,
    diagnosis,
    for_minutes,
    healthy,
    instance_type,
    queue,
    refused,
    route_table,
    snapshot,
    subnet,
    with_answers,
    with_environment,
    with_job,
)

KEY_REFUSED = (
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
    "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state"
)


@dataclass(frozen=True)
class Case:
    """`failed` is the check that shows it; `remedy` a part of the first command."""

    name: str
    account: Callable[[], Account]
    verdict: str
    kind: VerdictKind
    certainty: str
    failed: str = ""
    remedy: str = ""


CASES = (
    Case(
        "the queue is disabled",
        lambda: with_answers(describe_job_queues={"jobQueues": [queue(state="DISABLED")]}),
        "the queue is disabled",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.QUEUE,
        "aws batch update-job-queue --job-queue jobs --state ENABLED --region us-east-1",
    ),
    Case(
        "the queue is invalid",
        lambda: with_answers(describe_job_queues={"jobQueues": [queue(status="INVALID")]}),
        "the queue is not valid",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.QUEUE,
        "aws batch describe-job-queues",
    ),
    Case(
        "there is no such queue",
        lambda: with_answers(describe_job_queues={"jobQueues": []}),
        "the queue does not exist",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.QUEUE,
    ),
    Case(
        "all environments are disabled",
        lambda: with_environment(state="DISABLED"),
        "blocked by its compute environments",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.ENVIRONMENTS,
        "aws batch update-compute-environment --compute-environment compute --state ENABLED",
    ),
    Case(
        "all environments are invalid",
        lambda: with_environment(status="INVALID"),
        "blocked by its compute environments",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.ENVIRONMENTS,
        "aws batch describe-compute-environments --compute-environments compute",
    ),
    Case(
        "more vCPUs than maxvCpus",
        lambda: with_environment(maxvCpus=0, desiredvCpus=0),
        "larger than its environments allow",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.VCPU_LIMIT,
        "aws batch update-compute-environment --compute-environment compute --compute-resources maxvCpus=1",
    ),
    Case(
        "behind others in the queue",
        lambda: with_answers(get_job_queue_snapshot=snapshot("job-0", JOB)),
        "waiting its turn",
        VerdictKind.WAITING,
        EVIDENCE,
        "",
        "scaler-batch doctor --region us-east-1 --job job-0",
    ),
    Case(
        "larger than every instance type",
        lambda: with_answers(describe_instance_types={"InstanceTypes": [instance_type("m6i.tiny", 1, 2048)]}),
        "larger than any instance",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.INSTANCE_FIT,
    ),
    Case(
        "EC2 knows none of the types",
        lambda: with_answers(describe_instance_types={"InstanceTypes": []}),
        "no such instance types",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.INSTANCE_FIT,
        "instanceTypes=optimal",
    ),
    Case(
        "EC2 has no capacity",
        lambda: with_answers(
            describe_scaling_activities={"Activities": [activity("Failed", "InsufficientInstanceCapacity: m6i")]}
        ),
        "blocked by capacity",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.LAUNCHES,
        "instanceTypes=m6i,m6a",
    ),
    Case(
        "the instances' launcher may not use the key of their disks",
        lambda: with_answers(describe_scaling_activities={"Activities": [activity("Cancelled", KEY_REFUSED)]}),
        "blocked by the disks' KMS key",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.LAUNCHES,
        "export --region us-east-1 --format policy --only kms-key",
    ),
    Case(
        "the quota is smaller than the job",
        lambda: with_answers(get_service_quota={"Quota": {"Value": 0.0}}),
        "blocked by the account's quota",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.QUOTAS,
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C47A",
    ),
    Case(
        "instances don't join the cluster",
        lambda: with_answers(list_container_instances={"containerInstanceArns": []}),
        "instances don't join the cluster",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.INSTANCES,
    ),
    Case(
        "the instance profile holds no role",
        lambda: with_answers(get_instance_profile=refused("NoSuchEntity")),
        "instances have no role",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.INSTANCE_ROLE,
    ),
    Case(
        "the instances' role may not join a cluster",
        lambda: with_answers(
            list_attached_role_policies={"AttachedPolicies": []}, list_role_policies={"PolicyNames": []}
        ),
        "instances lack a policy",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.INSTANCE_ROLE,
        "aws iam attach-role-policy --role-name instances",
    ),
    Case(
        "no free address",
        lambda: with_answers(describe_subnets={"Subnets": [subnet(free=0)]}),
        "the subnets are full",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.SUBNETS,
    ),
    Case(
        "a subnet that was deleted",
        lambda: with_answers(describe_subnets=refused("InvalidSubnetID.NotFound")),
        "a subnet does not exist",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.SUBNETS,
    ),
    Case(
        "no way to AWS",
        lambda: with_answers(describe_route_tables={"RouteTables": [route_table(None)]}),
        "no way from the subnets to AWS",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.EGRESS,
        "aws ec2 create-vpc-endpoint --vpc-id vpc-1 --service-name com.amazonaws.us-east-1.ecr.api",
    ),
    Case(
        "a route that leads nowhere",
        lambda: with_answers(describe_route_tables={"RouteTables": [route_table("nat-1", State="blackhole")]}),
        "no way from the subnets to AWS",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.EGRESS,
    ),
    Case(
        "no image",
        lambda: with_answers(describe_images=refused("ImageNotFoundException")),
        "the image is missing",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.IMAGE,
        "scaler-batch build-image --region us-east-1",
    ),
    Case(
        "an image for another processor",
        lambda: with_answers(
            batch_get_image={"images": [{"imageManifest": '{"manifests": [{"platform": {"architecture": "arm64"}}]}'}]}
        ),
        "the image is for another processor",
        VerdictKind.BLOCKED,
        EVIDENCE,
        CheckId.IMAGE,
    ),
    Case("nothing wrong to be seen", healthy, "no cause found", VerdictKind.UNDETERMINED, EVIDENCE),
    Case(
        "environments are full",
        lambda: with_environment(maxvCpus=4, desiredvCpus=4),
        "waiting for room",
        VerdictKind.WAITING,
        EVIDENCE,
        "",
        "maxvCpus=8",
    ),
    # what AWS itself says
    Case(
        "AWS says capacity, for long",
        lambda: for_minutes(15, CAPACITY),
        "blocked by capacity",
        VerdictKind.BLOCKED,
        AWS,
        "",
        "instanceTypes",
    ),
    Case(
        "AWS says capacity, just now",
        lambda: for_minutes(3, CAPACITY),
        "blocked by capacity",
        VerdictKind.BLOCKED,
        MAY_PASS,
    ),
    Case(
        "AWS says maxvCpus",
        lambda: for_minutes(15, "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) can't meet it"),
        "larger than its environments allow",
        VerdictKind.BLOCKED,
        AWS,
        CheckId.JOB,
        "maxvCpus=512",
    ),
    Case(
        "AWS says that no instance matches, for long",
        lambda: for_minutes(15, NO_MATCH),
        "larger than its environments offer",
        VerdictKind.BLOCKED,
        AWS,
    ),
    Case(
        "AWS says that no instance matches, just now",
        lambda: for_minutes(3, NO_MATCH),
        "larger than its environments offer",
        VerdictKind.SUSPECTED,
        MAY_PASS,
    ),
    Case(
        "AWS says the service role",
        lambda: for_minutes(
            15, "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - Batch service role has a permission issue."
        ),
        "blocked by permissions",
        VerdictKind.BLOCKED,
        AWS,
    ),
    Case(
        "AWS says an unsupported configuration",
        lambda: for_minutes(15, "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - unsupported"),
        "blocked by an unsupported configuration",
        VerdictKind.BLOCKED,
        AWS,
    ),
    Case(
        "AWS says invalid environments",
        lambda: for_minutes(15, "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."),
        "blocked by its compute environments",
        VerdictKind.BLOCKED,
        AWS,
    ),
    Case(
        "AWS does not know",
        lambda: for_minutes(15, "UNDETERMINED - Batch job is blocked, root cause is undetermined."),
        "blocked, and AWS does not know why",
        VerdictKind.BLOCKED,
        AWS,
    ),
    Case("AWS says something new", lambda: for_minutes(15, "NOVELTY - it is new"), "blocked", VerdictKind.BLOCKED, AWS),
    # other states
    Case(
        "waiting for a dependency",
        lambda: with_job(status="PENDING", dependsOn=[{"jobId": "job-0"}]),
        "waiting for a dependency",
        VerdictKind.WAITING,
        AWS,
        "",
        "aws batch describe-jobs --jobs job-0",
    ),
    Case(
        "an array whose children run",
        lambda: with_job(status="PENDING", arrayProperties={"statusSummary": {"RUNNING": 3}}),
        "not stuck: its children go on",
        VerdictKind.HEALTHY,
        AWS,
    ),
    Case(
        "pulling its image",
        lambda: with_job(status="STARTING"),
        "starting: its image is being pulled",
        VerdictKind.PROGRESSING,
        AWS,
    ),
    Case("running", lambda: with_job(status="RUNNING"), "not stuck: it runs", VerdictKind.HEALTHY, AWS),
    Case("ended", lambda: with_job(status="SUCCEEDED"), "it has ended", VerdictKind.HEALTHY, AWS),
    Case(
        "failed for its image",
        lambda: with_job(status="FAILED", statusReason="CannotPullContainerError: not found"),
        "failed",
        VerdictKind.FAILED,
        AWS,
        "",
        "scaler-batch build-image --region us-east-1",
    ),
    Case("unknown to AWS", lambda: with_answers(describe_jobs={"jobs": []}), "unknown job", VerdictKind.NOT_FOUND, AWS),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_follows_from_the_evidence(case: Case) -> None:
    found = diagnosis(case.account())
    assert (found.verdict, found.kind, found.certainty) == (case.verdict, case.kind, case.certainty)
    failed = [check.id for check in found.checks if check.result is CheckStatus.FAIL]
    assert not case.failed or case.failed in failed
    assert not case.remedy or any(case.remedy in remedy.command for remedy in found.remedies)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_remedy_is_a_command_that_a_shell_takes_apart(case: Case) -> None:
    commands = [shlex.split(remedy.command) for remedy in diagnosis(case.account()).remedies if remedy.command]
    assert {words[0] for words in commands} <= {"aws", "scaler-batch"}
