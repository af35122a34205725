"""Reads of AWS for diagnoses: clients of their own, calls that end soon, and an end to all when the engine stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from engine.aws.budget import Clock
from engine.aws.errors import AwsError, ErrorAction, classify_error
from engine.aws.session import AwsSession

READ_TIMEOUT_S: Final = 10
DIAGNOSIS_TIMEOUT_S: Final = 60.0
"""For all calls of one diagnosis together; later ones are not made at all."""


class DiagnosisStopped(Exception):
    """The engine ends, and no viewer is left."""


class DiagnosisReads:
    """Implements `engine.diagnosis.reads.Reads`, for one thread at a time; `stop` is for any other."""

    def __init__(self, *, session: AwsSession, clock: Clock = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._deadline = float("inf")
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Begin another diagnosis: its `DIAGNOSIS_TIMEOUT_S` count from now."""
        self._deadline = self._clock() + DIAGNOSIS_TIMEOUT_S

    def stop(self) -> None:
        """Let every call and every sleep raise `DiagnosisStopped`."""
        self._stopped.set()
        self._session.close()

    def sleep(self, seconds: float) -> None:
        """Sleep in this thread. Raises `DiagnosisStopped`."""
        if self._stopped.wait(seconds):
            raise DiagnosisStopped

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Make one boto3 call. Raises `AwsError`, `DiagnosisStopped`."""
        if self._stopped.is_set():
            raise DiagnosisStopped
        if self._clock() >= self._deadline:
            why = f"the diagnosis took more than {DIAGNOSIS_TIMEOUT_S:.0f} s: AWS answers slowly or not at all"
            raise AwsError(operation, ErrorAction.RETRY_LATER, "TimedOut", why)
        try:
            answer: Mapping[str, Any] = getattr(self._session.client(service), operation)(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise self._sorted(operation, error) from error
        except ResponseParserError as error:  # a page of something that stands between us and AWS
            raise AwsError(
                operation, ErrorAction.RETRY_LATER, "ResponseParserError", "the answer is not AWS's"
            ) from error
        return answer

    def _sorted(self, operation: str, error: BotoCoreError | ClientError) -> AwsError:
        failure = classify_error(operation, error, repeatable=True)
        if failure.action is ErrorAction.REFRESH_CREDENTIALS:
            self._session.renew()
        return failure
