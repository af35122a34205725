"""Errors of reading and making resources, each one sentence for a person."""

from __future__ import annotations

from engine.errors import EngineError


class ProvisionError(EngineError):
    """Error that keeps the account from the state that was asked for; says what to do."""


class CallFailed(ProvisionError):
    """Refusal of a call by AWS. `code` is AWS's own error code.

    `repeated` says that the call was sent before without an answer, and may have been done then, or that another run
    has done it.
    """

    def __init__(self, action: str, code: str, message: str, *, repeated: bool = False) -> None:
        super().__init__(f"AWS refused {action}: {code}: {message.rstrip('.')}.")
        self.code = code
        self.repeated = repeated


class StepFailed(ProvisionError):
    """Failure of a plan's step; what was done before stays."""

    def __init__(self, summary: str, reason: ProvisionError) -> None:
        super().__init__(
            f"Could not {summary}: {reason} What was done before stays: correct the cause and run this again."
        )
        self.summary = summary
        self.may_be_done = isinstance(reason, CallFailed) and reason.repeated
