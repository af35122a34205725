"""Reads a job's log stream piece by piece, and says in words why there may be nothing.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from engine.aws.client import GET_LOG_EVENTS, AwsClient
from engine.aws.error_text import describe_error, iam_action
from engine.aws.errors import AwsError, ErrorAction
from engine.model import LogChunk, LogEvent, LogStatus

EVENTS: Final = 5_000
"""In one answer, which CloudWatch also bounds to 1 MB."""
PATIENCE_S: Final = 5.0
TRIES: Final = 2


@dataclass(slots=True, eq=False)
class LogStreamReader:
    """`group` is empty when the jobs log elsewhere."""

    caller: AwsClient
    group: str

    async def read(self, stream: str, token: str | None) -> LogChunk:
        """What came behind `token`; None: the newest part of the stream. Never raises for what AWS says."""
        if not self.group:
            return LogChunk((), token, LogStatus.MISSING, "the job definition's log driver is not awslogs")
        try:
            async with asyncio.timeout(PATIENCE_S):
                return _chunk(await self._get(stream, token), token)
        except TimeoutError:
            why = self.caller.gate.reason or f"CloudWatch Logs did not answer within {PATIENCE_S:.0f} s"
            return LogChunk((), token, LogStatus.WAITING, why)
        except AwsError as error:
            return LogChunk((), token, *self._status(error))

    async def _get(self, stream: str, token: str | None) -> dict[str, Any]:
        place: dict[str, Any] = (
            {"startFromHead": False} if token is None else {"startFromHead": True, "nextToken": token}
        )
        answer: dict[str, Any] = await self.caller.call(
            GET_LOG_EVENTS, tries=TRIES, logGroupName=self.group, logStreamName=stream, limit=EVENTS, **place
        )
        return answer

    def _status(self, error: AwsError) -> tuple[LogStatus, str]:
        if error.denied:
            grant = f"grant {iam_action(error.api)} to the worker manager's role for log group {self.group}"
            return LogStatus.DENIED, grant
        if error.action is not ErrorAction.ABSENT:
            return LogStatus.WAITING, describe_error(error)
        if "group" in error.detail:
            return LogStatus.MISSING, f"log group {self.group} does not exist"
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
