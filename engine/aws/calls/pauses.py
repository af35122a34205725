"""Pauses of the engine: what work waits for at present (credentials, a permission, a queue), told once a change."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from engine.aws.budget import Clock
from engine.aws.errors import AwsError

REFUSAL_PATIENCE_S: Final = 60.0
"""How long a refusal of what worked before is retried: policies that are being edited refuse for a moment."""
FIRST_REFUSAL_PATIENCE_S: Final = 5.0
"""The same of what was never allowed: nothing is decided on one sample."""


@dataclass(slots=True, eq=False)
class Pauses:
    """Reasons to wait, by cause. `on_paused` is called for the first and when it changes, `on_resumed` at the end."""

    clock: Clock
    on_paused: Callable[[str], None] = lambda _: None
    on_resumed: Callable[[], None] = lambda: None
    since: float = field(init=False)
    """Time at which the present pause began, or the last one ended."""
    _reasons: dict[Hashable, str] = field(default_factory=dict)
    _told: str | None = None

    def __post_init__(self) -> None:
        self.since = self.clock()

    @property
    def reason(self) -> str | None:
        """What is waited for, the oldest reason; None while nothing is."""
        return next(iter(self._reasons.values()), None)

    def reason_beside(self, cause: Hashable) -> str | None:
        """What is waited for besides what `cause` needs, the oldest reason; None while nothing is."""
        return next((reason for one, reason in self._reasons.items() if one != cause), None)

    def begin(self, cause: Hashable, reason: str) -> None:
        """Wait for what `cause` needs; `reason` is for people."""
        self._reasons[cause] = reason
        self._tell()

    def end(self, cause: Hashable) -> None:
        """Wait for it no more."""
        self._reasons.pop(cause, None)
        self._tell()

    def _tell(self) -> None:
        told, self._told = self._told, self.reason
        if told == self._told:
            return
        if told is None or self._told is None:
            self.since = self.clock()
        if self._told is None:
            self.on_resumed()
        else:
            self.on_paused(self._told)


def describe_refusal(error: AwsError) -> str:
    """Say what is waited for after a refusal that may pass."""
    if error.closed_queue:
        return f"the job queue takes no jobs ({error.detail}): enable it, or stop this manager"
    remedy = "grant it again" if error.forbidden else "look what answers in its place"
    return (
        f"AWS refuses {error.api}, which it allowed before ({error.code}: {error.detail}): "
        f"trying for {REFUSAL_PATIENCE_S:.0f} s, {remedy}"
    )


def describe_credentials(error: AwsError) -> str:
    """Say why no call is made at present."""
    if error.wrong_clock:
        return f"this machine's clock is wrong, AWS refuses its time ({error.code}: {error.detail}): set the clock"
    if error.expired:
        return f"the AWS credentials have expired ({error.code}: {error.detail}): renew them"
    if error.status:
        return f"AWS refuses our credentials ({error.code}: {error.detail})"
    return f"AWS credentials can't be read ({error.code}: {error.detail})"
