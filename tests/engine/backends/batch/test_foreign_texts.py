"""Foreign text that is no error of AWS's: keys, ids, documents, the lease's holder. It is told in one short line."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from engine.aws.batch_jobs import BatchJob, MalformedJob
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.introspect.job_description import description_of
from engine.backends.batch.ledger import Ledger
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.preflight import examine
from engine.backends.batch.submit.launcher import _job_id
from engine.backends.batch.takeover.lease_record import LeaseRecord
from engine.backends.batch.takeover.scan import PredecessorScan
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.errors import StartupError
from tests.support.engine.batch_harness import config
from tests.support.engine.hostile_texts import HOSTILE, faults_of

LAYOUT = StoreLayout("bucket", "tasks", "wm")


class Answering:
    """`AwsClient` that gives what a test made, by operation."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.session = SimpleNamespace(region="us-east-1")

    async def call(self, operation: Any, **_: Any) -> Any:
        return self._answers[operation.name]

    async def run(self, operation: Any, work: Any, **_: Any) -> Any:
        return self._answers.get(operation.name)


async def test_a_key_that_stays_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    parts: Any = Answering(DeleteObjects={"Errors": [{"Key": HOSTILE, "Code": HOSTILE}, {}]})
    cleaner = ObjectCleaner(client=parts, ledger=Ledger(), layout=LAYOUT, blobs=parts, renewal=parts, spawn=parts)
    await cleaner.delete(["a"])
    assert (len(caplog.messages), faults_of(caplog.messages)) == (1, [])


@pytest.mark.parametrize("queue", [{"state": HOSTILE, "statusReason": HOSTILE}, {"schedulingPolicyArn": HOSTILE}])
async def test_a_queue_that_can_not_be_used_is_told_in_one_line(queue: dict[str, str]) -> None:
    given = {"state": "ENABLED", "status": "VALID", "jobQueueName": "q", **queue}
    parts: Any = Answering(DescribeJobQueues={"jobQueues": [given]})
    with pytest.raises(StartupError) as refused:
        await examine(parts, parts, LAYOUT, config())
    assert faults_of([str(refused.value)]) == []


def test_the_holder_of_a_lease_is_named_in_one_line() -> None:
    holder = LeaseRecord(token="t", host=HOSTILE, pid=1, boot_id="b", process="p")
    assert faults_of([holder.describe()]) == []


@pytest.mark.parametrize("job_id", ["", HOSTILE, "a\x1bb", 7, None])
def test_an_id_of_a_job_that_is_none_leaves_open_whether_there_is_a_job(job_id: object) -> None:
    with pytest.raises(AwsError) as ambiguous:
        _job_id({"jobId": job_id})
    assert (ambiguous.value.action, faults_of([str(ambiguous.value)])) == (ErrorAction.AMBIGUOUS, [])
    with pytest.raises(MalformedJob) as malformed:
        BatchJob.parse({"jobId": job_id, "status": "RUNNING"})
    assert faults_of([str(malformed.value)]) == []


def test_a_described_job_has_bounded_texts() -> None:
    attempt = {"statusReason": HOSTILE, "container": {"reason": HOSTILE, "logStreamName": HOSTILE}}
    document = {
        "jobId": "J",
        "status": "FAILED",
        "statusReason": HOSTILE,
        "container": {"command": [HOSTILE], "logConfiguration": {"options": {"awslogs-group": HOSTILE}}},
        "attempts": [attempt],
        "parameters": {"store": HOSTILE, "theirs": HOSTILE},
        HOSTILE: HOSTILE,
    }
    shown = description_of(BatchJob.parse(document), 0.0)
    texts = [shown.status_reason, shown.log_group, shown.log_stream, *shown.text.splitlines()]
    texts += [text for one in shown.attempts for text in (one.reason, one.log_stream)]
    assert (faults_of(texts), json.loads(shown.text)["jobId"]) == ([], "J")


async def test_a_job_of_our_name_with_a_foreign_submission_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    named = {"jobName": HOSTILE, "parameters": {"store": LAYOUT.uri, "submission": HOSTILE, "payload": "b:" + HOSTILE}}
    job = BatchJob.parse({"jobId": "J", "status": "RUNNING", **named})

    async def describe(job_ids: object) -> dict[str, BatchJob]:
        return {"J": job}

    parts: Any = SimpleNamespace(describe=describe)
    scan = PredecessorScan(client=parts, jobs=parts, store=parts, layout=LAYOUT, own_jobs=parts)
    assert (await scan.restore(["J"]), len(caplog.messages), faults_of(caplog.messages)) == ([], 1, [])
