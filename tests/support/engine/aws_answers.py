"""Answers of AWS for tests: errors, and calls that raise or answer step by step."""

from __future__ import annotations

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
