"""Reader of a job's log stream, piece by piece; it says in words why there may be nothing.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from engine.aws.client import GET_LOG_EVENTS, AwsClient
from engine.aws.error_text import in_words, is_denied
from engine.aws.errors import AwsError, ErrorAction
from engine.model import LogChunk, LogEvent

EVENTS_AT_ONCE: Final = 5_000
"""In one answer, which CloudWatch also bounds to 1 MB."""
LOG_READ_TIMEOUT_S: Final = 5.0
LOG_READ_TRIES: Final = 2


class LogStreamReader:
    """Reads streams of one log group; `group` is empty when the jobs log elsewhere."""

    def __init__(self, *, client: AwsClient, group: str) -> None:
        self._client = client
        self._group = group

    async def read(self, stream: str, token: str | None) -> LogChunk:
        """Read what came behind `token`; None: the newest part of the stream. Never raises for what AWS says."""
        if not self._group:
            return LogChunk(token=token, status="missing: the job definition's log driver is not awslogs")
        try:
            async with asyncio.timeout(LOG_READ_TIMEOUT_S):
                return _chunk(await self._get(stream, token), token)
        except TimeoutError:
            why = self._client.gate.reason or f"CloudWatch Logs did not answer within {LOG_READ_TIMEOUT_S:.0f} s"
            return LogChunk(token=token, status=f"waiting: {why}")
        except AwsError as error:
            return LogChunk(token=token, status=self._status(error))

    async def _get(self, stream: str, token: str | None) -> dict[str, Any]:
        place: dict[str, Any] = (
            {"startFromHead": False} if token is None else {"startFromHead": True, "nextToken": token}
        )
        answer: dict[str, Any] = await self._client.call(
            GET_LOG_EVENTS,
            tries=LOG_READ_TRIES,
            logGroupName=self._group,
            logStreamName=stream,
            limit=EVENTS_AT_ONCE,
            **place,
        )
        return answer

    def _status(self, error: AwsError) -> str:
        if is_denied(error):
            return f"{in_words(error)} for log group {self._group}"
        if error.remedy is not ErrorAction.ABSENT:
            return f"waiting: {in_words(error)}"
        if "group" in error.detail:
            return f"missing: log group {self._group} does not exist"
        return "waiting: the job's log stream does not exist yet"


def _chunk(answer: dict[str, Any], token: str | None) -> LogChunk:
    """An empty answer to the first question keeps that question open: an old stream may answer empty at first."""
    events = tuple(
        LogEvent(one["timestamp"] / 1000, one["message"], one.get("ingestionTime", one["timestamp"]) / 1000)
        for one in answer["events"]
    )
    if not events and token is None:
        return LogChunk(status="waiting: the job has written nothing so far")
    return LogChunk(events, answer["nextForwardToken"])
