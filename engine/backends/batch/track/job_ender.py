"""Ends of jobs: TerminateJobs, 50 ids a call; TerminateJob where that can't be had. What AWS refuses is told by id."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from engine.aws import limits
from engine.aws.calls.operations import TERMINATE_JOB, TERMINATE_JOBS
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction, classify_answer
from engine.model import CancelReason

logger = logging.getLogger(__name__)

Refusals = dict[str, AwsError]
"""Job ids that AWS did not end, with what it said."""
_STATUSES: Final = {"ServerException": 500}
"""A refusal of one id comes without a status; the one code of Batch's that says nothing else: try again.

https://docs.aws.amazon.com/batch/latest/APIReference/API_TerminateJobs.html
"""
OLD_SDK: Final = f"this boto3 has no {TERMINATE_JOBS.name}"


class JobEnder:
    """Ends jobs in as few calls as AWS allows. A job that is gone counts as ended."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client
        self._told = False
        """It was said that jobs are ended one by one."""

    async def end(self, job_ids: Sequence[str], reason: CancelReason) -> Refusals:
        """Ask AWS to end the jobs, however often it must be asked. Returns those that it refuses to end."""
        if len(job_ids) == 1 or not await self._has_bulk():
            return await self._end_singly(job_ids, reason)
        size = limits.TERMINATE_JOBS_IDS
        chunks = [list(job_ids[start : start + size]) for start in range(0, len(job_ids), size)]
        refusals: Refusals = {}
        for one in await asyncio.gather(*(self._end_chunk(chunk, reason) for chunk in chunks)):
            refusals |= one
        return refusals

    async def _end_chunk(self, job_ids: list[str], reason: CancelReason) -> Refusals:
        bulk = _BulkEnd(job_ids, reason)
        try:
            await self._client.run(TERMINATE_JOBS, lambda: bulk.send(self._client))
        except AwsError as error:
            self._tell(str(error))
            return bulk.refusals | await self._end_singly(bulk.left, reason)
        return bulk.refusals

    async def _has_bulk(self) -> bool:
        has = await self._client.in_thread(lambda: self._client.offers(TERMINATE_JOBS))
        if not has:
            self._tell(OLD_SDK)
        return has

    async def _end_singly(self, job_ids: Sequence[str], reason: CancelReason) -> Refusals:
        answers = await asyncio.gather(*(self._end_one(job_id, reason) for job_id in job_ids))
        return {job_id: error for job_id, error in zip(job_ids, answers, strict=True) if error is not None}

    async def _end_one(self, job_id: str, reason: CancelReason) -> AwsError | None:
        try:
            await self._client.call(TERMINATE_JOB, jobId=job_id, reason=reason.value)
        except AwsError as error:
            return error
        return None

    def _tell(self, why: str) -> None:
        if not self._told:
            self._told = True
            logger.warning("jobs are ended one by one, %d a second: %s", TERMINATE_JOB.rate, why)


class _BulkEnd:
    """One TerminateJobs, sent again for the ids that AWS says to try later."""

    def __init__(self, job_ids: list[str], reason: CancelReason) -> None:
        self.left = job_ids
        self.refusals: Refusals = {}
        self._reason = reason

    def send(self, client: AwsClient) -> None:
        """For the call's thread. Raises `AwsError` while there are ids to try again."""
        answer = client.call_now(TERMINATE_JOBS, jobs=self.left, reason=self._reason.value)
        errors = {
            one["job"]: classify_answer(TERMINATE_JOBS.name, _STATUSES.get(one["code"], 0), one["code"], one["message"])
            for one in answer["errors"]
            if one["job"] in self.left
        }
        again = {job_id: error for job_id, error in errors.items() if error.action is ErrorAction.RETRY_LATER}
        self.left = list(again)
        self.refusals |= {job_id: error for job_id, error in errors.items() if job_id not in again}
        for error in again.values():
            raise error
