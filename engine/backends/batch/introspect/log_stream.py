"""Reader of a job's log stream, piece by piece; it says in words why there may be nothing.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from engine.aws.client import GET_LOG_EVENTS, AwsClient
from engine.aws.error_text import describe_error, iam_action
from engine.aws.errors import AwsError, ErrorAction
from engine.model import LogChunk, LogEvent, LogStatus

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
            return LogChunk((), token, LogStatus.MISSING, "the job definition's log driver is not awslogs")
        try:
            async with asyncio.timeout(LOG_READ_TIMEOUT_S):
                return _chunk(await self._get(stream, token), token)
        except TimeoutError:
            why = self._client.gate.reason or f"CloudWatch Logs did not answer within {LOG_READ_TIMEOUT_S:.0f} s"
            return LogChunk((), token, LogStatus.WAITING, why)
        except AwsError as error:
            return LogChunk((), token, *self._status(error))

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

    def _status(self, error: AwsError) -> tuple[LogStatus, str]:
        if error.denied:
            grant = f"grant {iam_action(error.api)} to the worker manager's role for log group {self._group}"
            return LogStatus.DENIED, grant
        if error.action is not ErrorAction.ABSENT:
            return LogStatus.WAITING, describe_error(error)
        if "group" in error.detail:
            return LogStatus.MISSING, f"log group {self._group} does not exist"
        return LogStatus.WAITING, "the job's log stream does not exist yet"


def _chunk(answer: dict[str, Any], token: str | None) -> LogChunk:
    """An empty answer to the first question keeps that question open: an old stream may answer empty at first."""
    events = tuple(
        LogEvent(one["timestamp"] / 1000, one["message"], one.get("ingestionTime", one["timestamp"]) / 1000)
        for one in answer["events"]
    )
    if not events and token is None:
        return LogChunk((), None, LogStatus.WAITING, "the job has written nothing so far")
    return LogChunk(events, answer["nextForwardToken"])
