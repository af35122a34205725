"""AWS for a diagnosis: clients of its own, calls that end soon, and an end to all of it when the engine stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from engine.aws.budget import Clock
from engine.aws.errors import AwsError, ErrorAction, classify_error
from engine.aws.session import AwsSession

READ_TIMEOUT_S: Final = 10
PATIENCE_S: Final = 60.0
"""For all calls of one diagnosis together; what is asked later than that is not asked at all."""


class Stopped(Exception):
    """The engine ends: there is nobody left to tell."""


@dataclass(slots=True, eq=False)
class DiagnosisReads:
    """Speaks `engine.diagnosis.reads.Reads`, for one thread at a time; `stop` is for any other."""

    session: AwsSession
    clock: Clock = time.monotonic
    _deadline: float = float("inf")
    _stopped: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Another diagnosis: its time counts from now."""
        self._deadline = self.clock() + PATIENCE_S

    def stop(self) -> None:
        """From now on every call and every sleep raises `Stopped`."""
        self._stopped.set()
        self.session.close()

    def sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Stopped

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Raises `AwsError`."""
        if self._stopped.is_set():
            raise Stopped
        if self.clock() >= self._deadline:
            why = f"the diagnosis took more than {PATIENCE_S:.0f} s: AWS answers slowly or not at all"
            raise AwsError(operation, ErrorAction.RETRY_LATER, "TimedOut", why)
        try:
            answer: Mapping[str, Any] = getattr(self.session.client(service), operation)(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise self._sorted(operation, error) from error
        except ResponseParserError as error:  # a page of something that stands between us and AWS
            raise AwsError(
                operation, ErrorAction.RETRY_LATER, "ResponseParserError", "the answer is not AWS's"
            ) from error
        return answer

    def _sorted(self, operation: str, error: BotoCoreError | ClientError) -> AwsError:
        known = classify_error(operation, error, repeatable=True)
        if known.action is ErrorAction.REFRESH_CREDENTIALS:
            self.session.renew()
        return known
