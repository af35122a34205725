"""The last log lines of a failed job. A side feature: it never hides or delays the job's own reason for long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from engine.aws.client import GET_LOG_EVENTS, AwsClient
from engine.aws.errors import AwsError

LINES: Final = 20
CHARACTERS: Final = 4_000
PATIENCE_S: Final = 5.0
CONCURRENT: Final = 4


@dataclass(slots=True, eq=False)
class LogTail:
    """Reads the end of a job's log stream, for a few jobs at once."""

    caller: AwsClient
    group: str
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT))

    async def read(self, stream: str) -> str:
        """The last lines, or a line that says why there are none; empty when the job has no log."""
        if not stream or not self.group:
            return ""
        try:
            return await asyncio.wait_for(self._read(stream), PATIENCE_S)
        except TimeoutError:
            return f"(CloudWatch Logs did not answer within {PATIENCE_S:.0f} s)"
        except AwsError as error:
            return f"(the log can't be read: {error.code})"

    async def _read(self, stream: str) -> str:
        async with self._room:
            answer = await self.caller.call(
                GET_LOG_EVENTS,
                tries=2,
                logGroupName=self.group,
                logStreamName=stream,
                limit=LINES,
                startFromHead=False,
            )
        text = "\n".join(event["message"].rstrip() for event in answer["events"])
        return text[-CHARACTERS:]
