"""Last log lines of a failed job. A side feature: it never hides or delays the job's own reason for long."""

from __future__ import annotations

import asyncio
from typing import Final

from engine.aws.client import GET_LOG_EVENTS, AwsClient
from engine.aws.errors import AwsError

LINES: Final = 20
CHARACTERS: Final = 4_000
TAIL_TIMEOUT_S: Final = 5.0
CONCURRENT_TAILS: Final = 4


class LogTail:
    """Reads the end of a job's log stream, for `CONCURRENT_TAILS` jobs at once. `group` is empty for another driver."""

    def __init__(self, *, client: AwsClient, group: str) -> None:
        self._client = client
        self._group = group
        self._slots = asyncio.Semaphore(CONCURRENT_TAILS)

    async def read(self, stream: str) -> str:
        """Read the last lines, or give a line that says why there are none; empty when the job has no log."""
        if not stream or not self._group:
            return ""
        try:
            return await asyncio.wait_for(self._read(stream), TAIL_TIMEOUT_S)
        except TimeoutError:
            return f"(CloudWatch Logs did not answer within {TAIL_TIMEOUT_S:.0f} s)"
        except AwsError as error:
            return f"(the log can't be read: {error.code})"

    async def _read(self, stream: str) -> str:
        async with self._slots:
            answer = await self._client.call(
                GET_LOG_EVENTS,
                tries=2,
                logGroupName=self._group,
                logStreamName=stream,
                limit=LINES,
                startFromHead=False,
            )
        text = "\n".join(event["message"].rstrip() for event in answer["events"])
        return text[-CHARACTERS:]
