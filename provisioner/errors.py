"""What can go wrong while resources are read or made, each as one sentence for a person."""

from __future__ import annotations

from engine.errors import EngineError


class ProvisionError(EngineError):
    """The account can't be brought to the state that was asked for; says what to do."""


class CallFailed(ProvisionError):
    """AWS refused a call. `code` is AWS's own error code.

    `repeated` says that the call was sent before without an answer, and may have been done then.
    """

    def __init__(self, action: str, code: str, message: str, *, repeated: bool = False) -> None:
        super().__init__(f"AWS refused {action}: {code}: {message.rstrip('.')}.")
        self.code = code
        self.repeated = repeated


class StepFailed(ProvisionError):
    """A plan ended before its end; what was done before stays."""

    def __init__(self, summary: str, reason: ProvisionError) -> None:
        super().__init__(
            f"Could not {summary}: {reason} What was done before stays: correct the cause and run this again."
        )
        self.summary = summary
        self.may_be_done = isinstance(reason, CallFailed) and reason.repeated
