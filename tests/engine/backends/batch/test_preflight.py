"""What can't work ends the start with one sentence that says what to do."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from engine.errors import StartupError
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import environment, objects, register, running


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
