"""Ends of many jobs: how many calls they take, and whose refusal is whose."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from engine.aws.client import AwsClient
from engine.aws.session import AwsSession
from engine.backends.batch.track.job_ender import JobEnder
from engine.model import CancelReason

CHILDREN = [f"job:{index}" for index in range(5_000)]


class SingleBatch:
    """AWS Batch as an SDK of 2025 knows it."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.ended: list[str] = []
        self.refused: dict[str, list[str]] = {}
        """Codes that ids are refused with, one a request."""
        self._lock = threading.Lock()

    def terminate_job(self, *, jobId: str, reason: str) -> dict[str, Any]:
        self.calls["TerminateJob"] += 1
        if code := self._refusal(jobId):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "TerminateJob")
        return {}

    def _refusal(self, job_id: str) -> str | None:
        with self._lock:
            if codes := self.refused.get(job_id):
                return codes.pop(0)
            self.ended.append(job_id)
            return None


class BulkBatch(SingleBatch):
    """AWS Batch of today; `denied` refuses the bulk call as a whole."""

    denied = False

    def terminate_jobs(self, *, jobs: list[str], reason: str) -> dict[str, Any]:
        assert 1 <= len(jobs) <= 50
        self.calls["TerminateJobs"] += 1
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no right"}}, "TerminateJobs")
        refusals = {job_id: self._refusal(job_id) for job_id in jobs}
        return {
            "successful": [job_id for job_id, code in refusals.items() if code is None],
            "errors": [{"job": one, "code": code, "message": "no"} for one, code in refusals.items() if code],
        }


class Session(AwsSession):
    def __init__(self, batch: SingleBatch) -> None:
        super().__init__("eu-central-1", 1)
        self._batch = batch

    def client(self, service: str, read_timeout_s: float | None = None) -> Any:
        assert service == "batch"
        return self._batch


class Waits:
    """Seconds that were waited for, on a clock that nothing else moves."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def end(batch: SingleBatch, job_ids: list[str]) -> tuple[dict[str, str], float]:
    """Codes of the refusals by id, and the seconds that the ends were waited for."""
    waits = Waits()
    client = AwsClient(Session(batch), clock=lambda: waits.now, sleep=waits.sleep)
    try:
        refusals = await JobEnder(client).end(job_ids, CancelReason.CLIENT)
    finally:
        await client.close()
    return {job_id: error.code for job_id, error in refusals.items()}, waits.now


async def test_five_thousand_children_end_in_a_hundred_calls_within_two_seconds() -> None:
    batch = BulkBatch()
    refusals, seconds = await end(batch, CHILDREN)
    assert (refusals, batch.calls, sorted(batch.ended)) == ({}, {"TerminateJobs": 100}, sorted(CHILDREN))
    assert seconds < 2.0


async def test_a_single_job_takes_the_plain_call() -> None:
    batch = BulkBatch()
    await end(batch, ["job"])
    assert batch.calls == {"TerminateJob": 1}


async def test_ids_that_are_throttled_are_sent_again_and_no_others() -> None:
    batch = BulkBatch()
    batch.refused = {"job:3": ["ThrottlingException", "ServerException"], "job:4": ["ServerException"]}
    refusals, _ = await end(batch, CHILDREN[:50])
    assert (refusals, batch.calls) == ({}, {"TerminateJobs": 3})
    assert sorted(batch.ended) == sorted(CHILDREN[:50])


async def test_the_refusal_of_one_id_is_that_ids_alone() -> None:
    batch = BulkBatch()
    batch.refused = {"job:3": ["ClientException"]}
    refusals, _ = await end(batch, CHILDREN[:60])
    assert refusals == {"job:3": "ClientException"}
    assert len(batch.ended) == 59


@pytest.mark.parametrize("batch", [SingleBatch(), BulkBatch()], ids=["old SDK", "denied"])
async def test_without_the_bulk_call_each_job_is_ended_alone_and_it_is_said_once(
    batch: SingleBatch, caplog: pytest.LogCaptureFixture
) -> None:
    if isinstance(batch, BulkBatch):
        batch.denied = True
    batch.refused = {"job:3": ["ClientException"]}
    refusals, _ = await end(batch, CHILDREN[:120])
    assert (refusals, batch.calls["TerminateJob"]) == ({"job:3": "ClientException"}, 120)
    assert sum("one by one" in record.message for record in caplog.records) == 1
