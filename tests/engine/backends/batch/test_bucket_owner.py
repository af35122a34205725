"""Whose the bucket must be: the queue's account's, unless it was another account's from the first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.aws.errors import classify_answer
from engine.backends.batch import preflight
from engine.backends.batch.names import StoreLayout
from engine.errors import StartupError

ACCOUNT = "123456789012"
QUEUE = {"jobQueueArn": f"arn:aws:batch:us-east-1:{ACCOUNT}:job-queue/q"}


class Bucket:
    """Client and store at once; a call that names `refused` as the owner is denied."""

    def __init__(self, *refused: str | None) -> None:
        self.session = SimpleNamespace(bucket_owner=None)
        self._refused = refused

    async def run(self, operation: Any, work: Any, **_: Any) -> None:
        if self.session.bucket_owner in self._refused:
            raise classify_answer("ListObjectsV2", 403, "AccessDenied", "Access Denied")


async def owner_of(bucket: Bucket, name: str) -> str | None:
    parts: Any = bucket
    await preflight._check_bucket(parts, parts, StoreLayout(name, "tasks", "wm"), preflight._account(QUEUE))
    owner: str | None = bucket.session.bucket_owner
    return owner


async def test_a_bucket_of_the_queue_s_account_must_stay_its() -> None:
    assert await owner_of(Bucket(), "shared-data") == ACCOUNT


async def test_one_of_another_account_is_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert await owner_of(Bucket(ACCOUNT), "shared-data") is None
    assert "is of another account" in caplog.text


async def test_one_that_has_the_account_in_its_name_and_is_another_s_is_refused() -> None:
    """Somebody made it after a cleanup."""
    with pytest.raises(StartupError, match=f"must be account {ACCOUNT}'s"):
        await owner_of(Bucket(ACCOUNT), f"scaler-batch-{ACCOUNT}-us-east-1")


async def test_a_bucket_that_may_not_be_listed_is_refused_as_before() -> None:
    with pytest.raises(StartupError, match="s3:ListBucket"):
        await owner_of(Bucket(ACCOUNT, None), "shared-data")


def test_jobs_of_a_stack_have_its_queue_s_tags_but_for_aws_own() -> None:
    tags = {"opengris:stack": "team", "CostCenter": "42"}
    assert preflight._tags_of_jobs({"tags": {**tags, "aws:cloudformation:stack-name": "x"}}) == tags
    assert preflight._tags_of_jobs({"tags": {"CostCenter": "42"}}) == {}
