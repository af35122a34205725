"""What can't work ends the start with one sentence that says what to do."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import boto3
import pytest

from engine.aws.errors import classify_answer
from engine.aws.object_store import ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch import preflight
from engine.errors import StartupError
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import QUEUE, environment, objects, register, running, work, works


async def refusal(aws: LocalAWS, **changes: Any) -> str:
    with pytest.raises(StartupError) as caught:
        async with running(aws, **changes):
            pass
    text = str(caught.value)
    assert "\n" not in text
    return text


def batch_client(aws: LocalAWS) -> Any:
    with environment(aws.environment()):
        return boto3.Session().client("batch")


def fair_queue(aws: LocalAWS) -> str:
    """A queue with a scheduling policy."""
    batch = batch_client(aws)
    environments = batch.describe_job_queues(jobQueues=[QUEUE])["jobQueues"][0]["computeEnvironmentOrder"]
    name = f"fair-{uuid.uuid4().hex[:8]}"
    policy = "arn:aws:batch:us-east-1:123456789012:scheduling-policy/fair"
    batch.create_job_queue(
        jobQueueName=name, priority=1, schedulingPolicyArn=policy, computeEnvironmentOrder=environments
    )
    return name


async def test_a_bucket_that_does_not_exist(aws: LocalAWS) -> None:
    assert "S3 bucket 'no-such-bucket' does not exist" in await refusal(aws, s3_bucket="no-such-bucket")


async def test_a_queue_that_does_not_exist(aws: LocalAWS) -> None:
    assert "job queue 'nowhere' does not exist in region us-east-1" in await refusal(aws, job_queue="nowhere")


async def test_a_definition_that_does_not_exist(aws: LocalAWS) -> None:
    assert "job definition 'nothing' has no active revision" in await refusal(aws, job_definition="nothing")


async def test_a_definition_without_its_references(aws: LocalAWS) -> None:
    register(batch_client(aws), "foreign", ["--store", "Ref::store", "--payload", "Ref::payload"])
    text = await refusal(aws, job_definition="foreign")
    assert "lacks Ref::submission, Ref::options" in text
    assert '"--submission", "Ref::submission"' in text


async def test_a_disabled_queue(aws: LocalAWS) -> None:
    batch = batch_client(aws)
    environments = batch.describe_job_queues()["jobQueues"][0]["computeEnvironmentOrder"]
    batch.create_job_queue(jobQueueName="closed", priority=1, state="DISABLED", computeEnvironmentOrder=environments)
    assert "job queue 'closed' is DISABLED" in await refusal(aws, job_queue="closed")


async def test_a_fair_share_queue_without_a_share(aws: LocalAWS) -> None:
    text = await refusal(aws, job_queue=fair_queue(aws))
    assert "has a scheduling policy" in text
    assert "--share-identifier" in text


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({"share_identifier": "team"}, "leave --share-identifier out"),
        ({"scheduling_priority": 0}, "leave --scheduling-priority out"),
        ({"share_identifier": "a", "scheduling_priority": "task"}, "--share-identifier and --scheduling-priority out"),
    ],
)
async def test_a_share_where_there_is_no_policy(aws: LocalAWS, given: dict[str, Any], flags: str) -> None:
    assert flags in await refusal(aws, **given)


@pytest.mark.parametrize(
    ("priority", "expected"), [(None, {0}), (12, {12}), ("task", {0, 3, 9_999})], ids=["none", "number", "task"]
)
async def test_jobs_of_a_share_name_it(
    aws: LocalAWS, monkeypatch: pytest.MonkeyPatch, priority: Any, expected: set[int]
) -> None:
    asked: list[dict[str, Any]] = []
    made = AwsSession._make_client

    def make(session: AwsSession, service: str, *arguments: Any) -> Any:
        client = made(session, service, *arguments)
        client.meta.events.register("before-parameter-build.batch.SubmitJob", lambda params, **_: asked.append(params))
        return client

    monkeypatch.setattr(AwsSession, "_make_client", make)
    queue = fair_queue(aws)
    async with running(aws, job_queue=queue, share_identifier="team", scheduling_priority=priority) as (backend, told):
        tasks = [
            replace(task, priority=one) for task, one in zip(works(abs, [1, 2, 3, 4]), (0, 3, 3, 20_000), strict=True)
        ]
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [1, 2, 3, 4]
    assert {one["shareIdentifier"] for one in asked} == {"team"}
    assert {one["schedulingPriorityOverride"] for one in asked} == expected
    assert len(asked) == len(expected)


async def test_a_directory_bucket(aws: LocalAWS) -> None:
    assert "is a directory bucket" in await refusal(aws, s3_bucket="fast--use1-az4--x-s3")


class PagedDefinitions:
    """Answers DescribeJobDefinitions with one revision a page, the highest on the last."""

    def __init__(self, revisions: int) -> None:
        self._revisions = revisions

    async def call(self, *_: object, nextToken: str = "1", **__: object) -> dict[str, Any]:
        more = {"nextToken": str(int(nextToken) + 1)} if int(nextToken) < self._revisions else {}
        return {"jobDefinitions": [{"revision": int(nextToken)}], **more}


async def test_the_highest_active_revision_counts_on_whichever_page() -> None:
    """AWS gives a hundred a page and promises no order."""
    client: Any = PagedDefinitions(3)
    assert (await preflight._find_revision(client, "often"))["revision"] == 3


async def test_a_fargate_queue_wants_a_job_role(aws: LocalAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_environments", of_fargate)
    assert "'backend-job' has no jobRoleArn, and on Fargate" in await refusal(aws)


async def test_on_fargate_the_size_of_an_ordinary_job_is_known() -> None:
    amounts = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    container = {"resourceRequirements": amounts}
    assert preflight._fargate(container, await of_fargate()) == (0.25, 512)
    assert preflight._fargate(container, [{"computeResources": {"type": "SPOT"}}]) is None


async def of_fargate(*_: object) -> list[dict[str, Any]]:
    return [{"computeResources": {"type": "FARGATE"}}, {"computeResources": {"type": "FARGATE_SPOT"}}]


async def test_on_ec2_a_missing_job_role_is_told(aws: LocalAWS, caplog: pytest.LogCaptureFixture) -> None:
    async with running(aws):
        pass
    assert "has no jobRoleArn" in caplog.text


async def test_a_bucket_that_keeps_versions_is_told_what_that_costs(
    aws: LocalAWS, caplog: pytest.LogCaptureFixture
) -> None:
    with environment(aws.environment()):
        s3 = boto3.Session().client("s3")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    async with running(aws, s3_bucket="versioned"):
        pass
    assert "'versioned' keeps versions" in caplog.text


async def test_a_manager_that_may_not_write(aws: LocalAWS) -> None:
    aws.fault("error:PutObject:403")
    text = await refusal(aws)
    assert "give the manager's role s3:PutObject" in text
    assert "default encryption" in text


async def test_a_bucket_that_takes_no_object(aws: LocalAWS) -> None:
    aws.fault("error:PutObject:400")
    assert "nothing can be written below s3://backend-test/scaler-tasks/" in await refusal(aws)


async def test_each_upload_carries_the_checksum_that_object_lock_wants(
    aws: LocalAWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    made = AwsSession._make_client

    def make(session: AwsSession, service: str, *arguments: Any) -> Any:
        client = made(session, service, *arguments)
        client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
        return client

    monkeypatch.setattr(AwsSession, "_make_client", make)
    async with running(aws, inline_limit=0) as (backend, told):
        task = work(abs, -1)
        backend.submit(task)
        assert await told.value(task) == 1
    assert len(sent) > 1
    assert all(headers.get("x-amz-checksum-crc32") for headers in sent)


async def test_a_wrong_clock(aws: LocalAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    def skewed(*_: object) -> bytes:
        raise classify_answer("ListObjectsV2", 403, "RequestTimeTooSkewed", "The difference is too large.")

    monkeypatch.setattr(ObjectStore, "_send", skewed)
    text = await refusal(aws)
    assert "this machine's clock is wrong" in text
    assert "renew" not in text


async def test_a_profile_that_is_not_there(aws: LocalAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {**aws.environment(), "AWS_PROFILE": "nobodys", "AWS_CONFIG_FILE": "/dev/null"}
    monkeypatch.setattr(aws, "environment", lambda: values)
    assert "AWS credentials can't be read (ProfileNotFound" in await refusal(aws)


async def test_no_credentials(aws: LocalAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {name: value for name, value in aws.environment().items() if "KEY" not in name}
    monkeypatch.setattr(aws, "environment", lambda: {**values, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "no AWS credentials were found" in await refusal(aws)


async def test_expired_credentials(aws: LocalAWS) -> None:
    aws.fault("expired-credentials")
    assert "AWS refuses the credentials (ExpiredToken" in await refusal(aws)


async def test_an_endpoint_that_nobody_serves(aws: LocalAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {**aws.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    monkeypatch.setattr(aws, "environment", lambda: values)
    assert "AWS can't be reached" in await refusal(aws)


async def test_a_refused_start_leaves_nothing(aws: LocalAWS) -> None:
    await refusal(aws, job_definition="nothing")
    assert objects(aws) == []
