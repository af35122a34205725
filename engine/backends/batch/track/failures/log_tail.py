"""Last log lines of a failed job. A side feature: it never hides or delays the job's own reason for long.

A page of GetLogEvents may be empty or partly full though there is more: only a token that repeats is the end.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from container.batch_job_quoting import is_speaker_line, runner_text, speaker_of
from container.batch_job_wire.results import OutputMark
from engine.aws.calls.operations import GET_LOG_EVENTS
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError

logger = logging.getLogger(__name__)

LINES: Final = 20
CHARACTERS: Final = 4_000
TAIL_TIMEOUT_S: Final = 5.0
CONCURRENT_TAILS: Final = 4
TAIL_PAGES: Final = 10
"""Pages of a stream that are asked for in search of its last lines."""


class LogTail:
    """Reads the end of a job's log stream, for `CONCURRENT_TAILS` jobs at once."""

    def __init__(self, *, client: AwsClient) -> None:
        self._client = client
        self._slots = asyncio.Semaphore(CONCURRENT_TAILS)

    async def read(self, group: str, stream: str, task_id: bytes | None = None) -> str:
        """Read the last lines, or give a line that says why there are none; empty when the job has no log.

        With `task_id` those of this task alone, of a job that runs several at once.
        """
        if not stream or not group:
            return ""
        try:
            return await asyncio.wait_for(self._read(group, stream, task_id), TAIL_TIMEOUT_S)
        except TimeoutError:
            return f"(CloudWatch Logs did not answer within {TAIL_TIMEOUT_S:.0f} s)"
        except AwsError as error:
            return f"(the log can't be read: {error.code})"
        except Exception as error:
            logger.exception("log stream %s can't be read", stream)
            return f"(the log can't be read: {type(error).__name__})"

    async def _read(self, group: str, stream: str, task_id: bytes | None) -> str:
        messages: list[str] = []
        wanted = messages
        token: str | None = None
        async with self._slots:
            for _ in range(TAIL_PAGES):
                answer = await self._page(group, stream, token)
                lines = (str(event.get("message", "")).rstrip() for event in answer["events"])
                messages[:0] = [line for line in lines if OutputMark.parse(runner_text(line)) is None]
                wanted = messages if task_id is None else _lines_of(task_id.hex(), messages)
                before, token = token, answer.get("nextBackwardToken")
                if len(wanted) >= LINES or token is None or token == before:
                    break
        return "\n".join(wanted[-LINES:])[-CHARACTERS:]

    async def _page(self, group: str, stream: str, token: str | None) -> dict[str, Any]:
        """The newest page, or the one before that of `token`."""
        place: dict[str, Any] = {} if token is None else {"nextToken": token}
        answer: dict[str, Any] = await self._client.call(
            GET_LOG_EVENTS,
            tries=2,
            logGroupName=group,
            logStreamName=stream,
            limit=LINES,
            startFromHead=False,
            **place,
        )
        return answer


def _lines_of(task_id: str, lines: list[str]) -> list[str]:
    kept, speaking = [], ""
    for line in lines:
        said = speaker_of(line)
        if said is not None:
            speaking = said[0] if said[1] else ""
        if task_id in (speaking, said and said[0]) and not is_speaker_line(line):
            kept.append(line)
    return kept
