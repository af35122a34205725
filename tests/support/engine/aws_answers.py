"""Answers of AWS for tests: errors, and calls that raise or answer step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import botocore.exceptions as sdk

Work = Callable[[], str]


def answered(status: int, code: str) -> sdk.ClientError:
    response = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return sdk.ClientError(response, "SubmitJob")  # type: ignore[arg-type]


def script(*steps: Exception | str) -> Work:
    """Raises or answers, one step a call."""
    remaining = list(steps)

    def work() -> str:
        step = remaining.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return work


THROTTLED = answered(429, "TooManyRequestsException")


def refused(code: str, message: str, *, status: int = 400, operation: str = "SubmitJob") -> sdk.ClientError:
    """AWS's answer to `operation`, in its own words."""
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return sdk.ClientError(response, operation)  # type: ignore[arg-type]


class SwitchedOwnership:
    """Lease that a test takes away and gives back."""

    def __init__(self, *, held: bool = True) -> None:
        self.held = held
        self._given = asyncio.Event()
        self.waits = 0

    async def wait_held(self) -> None:
        while not self.held:
            self.waits += 1
            await self._given.wait()

    def give(self) -> None:
        self.held = True
        self._given.set()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something is so that no event tells."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)
