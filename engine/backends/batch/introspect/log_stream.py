"""Reader of a job's log stream, piece by piece; it says in words why there may be nothing.

A page of GetLogEvents may be empty or partly full though there is more: only a token that repeats is the end.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from engine.aws.batch_jobs import BatchJob
from engine.aws.calls.operations import GET_LOG_EVENTS
from engine.aws.client import AwsClient
from engine.aws.error_text import describe_error, iam_action
from engine.aws.errors import AwsError, ErrorAction
from engine.model import LogChunk, LogEvent, LogStatus

EVENTS_AT_ONCE: Final = 5_000
"""In one answer, which CloudWatch also bounds to 1 MB."""
LOG_READ_TIMEOUT_S: Final = 5.0
LOG_READ_TRIES: Final = 2
STREAMS_ELSEWHERE: Final = 10_000
"""Streams that are kept in mind since they lie in another group, some 2 MB."""
PAGES_AT_ONCE: Final = 5
"""Pages that one read goes on through in search of events."""


class LogStreamReader:
    """Reads streams of jobs. `group` is that of the present definition; empty: with it jobs log elsewhere.

    A job of another revision may log to another group, which `note` learns from its description.
    """

    def __init__(self, *, client: AwsClient, group: str) -> None:
        self._client = client
        self._group = group
        self._elsewhere: dict[str, str] = {}

    def note(self, job: BatchJob) -> None:
        """Keep in mind in which group a described job's stream lies."""
        if job.log_stream and job.log_group != self._group:
            self._elsewhere[job.log_stream] = job.log_group
            if len(self._elsewhere) > STREAMS_ELSEWHERE:
                del self._elsewhere[next(iter(self._elsewhere))]

    async def read(self, stream: str, token: str | None) -> LogChunk:
        """Read what came behind `token`; None: the newest part of the stream. Never raises for what AWS says."""
        chunk = await self._bounded(
            stream, self._read_newest(stream) if token is None else self._read_on(stream, token)
        )
        return replace(chunk, token=token) if chunk.token is None else chunk

    async def read_on(self, stream: str, token: str | None) -> LogChunk:
        """Read what came behind `token`; None: from the stream's beginning. Never raises for what AWS says."""
        chunk = await self._bounded(stream, self._read_on(stream, token))
        return replace(chunk, token=token) if chunk.token is None else chunk

    async def read_older(self, stream: str, before: float, token: str | None, limit: int) -> LogChunk:
        """Read back from `token`, or with None from `before` (epoch), until there are `limit` events or no more."""
        end_ms = round(before * 1000)  # exclusive
        read = self._read_back(stream, min(limit, EVENTS_AT_ONCE), token, endTime=end_ms)
        chunk = await self._bounded(stream, read)
        return chunk if chunk.status is LogStatus.STREAMING else replace(chunk, older=token)

    def _group_of(self, stream: str) -> str:
        return self._elsewhere.get(stream, self._group)

    async def _bounded(self, stream: str, read: Coroutine[None, None, LogChunk]) -> LogChunk:
        if not self._group_of(stream):
            read.close()
            return LogChunk((), None, LogStatus.MISSING, "the job definition's log driver is not awslogs")
        try:
            async with asyncio.timeout(LOG_READ_TIMEOUT_S):
                return await read
        except TimeoutError:
            why = self._client.gate.reason or f"CloudWatch Logs did not answer within {LOG_READ_TIMEOUT_S:.0f} s"
            return LogChunk((), None, LogStatus.WAITING, why)
        except AwsError as error:
            return LogChunk((), None, *_status(error, self._group_of(stream)))

    async def _read_newest(self, stream: str) -> LogChunk:
        """From the newest page backwards, until the pages are full. Without an event the question stays open."""
        chunk = await self._read_back(stream, EVENTS_AT_ONCE, None)
        if not chunk.events:
            return LogChunk((), None, LogStatus.WAITING, "the job has written nothing so far", at_end=True)
        return replace(chunk, at_end=True)

    async def _read_back(self, stream: str, limit: int, token: str | None, **span: Any) -> LogChunk:
        """Pages backwards; `token` of the answer goes on behind the first of them."""
        forward: str | None = None
        events: tuple[LogEvent, ...] = ()
        for _ in range(PAGES_AT_ONCE):
            place = {} if token is None else {"nextToken": token}
            answer = await self._page(stream, startFromHead=False, limit=limit, **span, **place)
            events = _events(answer) + events
            forward = forward or answer.get("nextForwardToken")
            before, token = token, answer.get("nextBackwardToken")
            if token in (before, None):
                return LogChunk(events, forward)
            if len(events) >= limit:
                break
        return LogChunk(events, forward, older=token)

    async def _read_on(self, stream: str, token: str | None) -> LogChunk:
        """The next events behind `token`, through empty pages."""
        events: tuple[LogEvent, ...] = ()
        for _ in range(PAGES_AT_ONCE):
            place: dict[str, Any] = {} if token is None else {"nextToken": token}
            answer = await self._page(stream, startFromHead=True, **place)
            events = _events(answer)
            before, token = token, answer.get("nextForwardToken") or token
            if events or token == before:
                break
        return LogChunk(events, token, at_end=token == before)

    async def _page(self, stream: str, *, limit: int = EVENTS_AT_ONCE, **place: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._client.call(
            GET_LOG_EVENTS,
            tries=LOG_READ_TRIES,
            logGroupName=self._group_of(stream),
            logStreamName=stream,
            limit=limit,
            **place,
        )
        return answer


def _status(error: AwsError, group: str) -> tuple[LogStatus, str]:
    if error.denied:
        return LogStatus.DENIED, f"grant {iam_action(error.api)} to the worker manager's role for log group {group}"
    if error.action is not ErrorAction.ABSENT:
        return LogStatus.WAITING, describe_error(error)
    if "group" in error.detail:
        return LogStatus.MISSING, f"log group {group} does not exist"
    return LogStatus.WAITING, "the job's log stream does not exist yet"


def _events(answer: dict[str, Any]) -> tuple[LogEvent, ...]:
    return tuple(
        LogEvent(one["timestamp"] / 1000, one["message"], one.get("ingestionTime", one["timestamp"]) / 1000)
        for one in answer["events"]
    )
