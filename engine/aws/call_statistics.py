"""What calling AWS is like at present: per API how many, how fast, how often refused; and whether AWS answers.

Costs a few microseconds a call and a few kilobytes an API. Only the event loop's thread touches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.aws.budget import Clock
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.histogram import RecentHistogram

RATE_WINDOW_S: Final = 10.0
MICROSECONDS: Final = 1e6


@dataclass(slots=True, eq=False)
class ApiStatistics:
    """One API. Times are the clock's."""

    latency_us: RecentHistogram
    recent: RecentHistogram
    calls: int = 0
    errors: int = 0
    throttles: int = 0
    last_error: str = ""
    last_error_at: float | None = None

    @property
    def per_second(self) -> float:
        """Calls a second, over the last ten seconds."""
        return self.recent.count / RATE_WINDOW_S

    def latency_s(self, *shares: float) -> tuple[float, ...]:
        """Percentiles of the last five minutes; 0.0 without calls."""
        return tuple(value / MICROSECONDS for value in self.latency_us.percentiles(*shares))


@dataclass(slots=True, eq=False)
class CallStatistics:
    """Told of each call by `AwsCaller`."""

    clock: Clock
    apis: dict[str, ApiStatistics] = field(default_factory=dict)
    _silent: dict[str, tuple[float, str]] = field(default_factory=dict)
    _last_change: float = field(init=False)

    def __post_init__(self) -> None:
        self._last_change = self.clock()

    def of(self, api: str) -> ApiStatistics:
        found = self.apis.get(api)
        if found is None:
            found = ApiStatistics(RecentHistogram(self.clock), RecentHistogram(self.clock, RATE_WINDOW_S))
            self.apis[api] = found
        return found

    def begun(self, api: str, calls: int = 1) -> None:
        """`calls` of `api` are being made."""
        one = self.of(api)
        one.calls += calls
        one.recent.add(1, calls)

    def took(self, api: str, seconds: float, calls: int = 1) -> None:
        """`calls` were answered, or given up, one after the other within `seconds`."""
        self.of(api).latency_us.add(seconds * MICROSECONDS / calls, calls)

    def answered(self, service: str) -> None:
        """AWS said something, whatever it was."""
        if self._silent.pop(service, None) is not None and not self._silent:
            self._last_change = self.clock()

    def failed(self, error: AwsError, service: str, *, silent: bool) -> None:
        """A call failed; `silent`: no answer came at all. That something doesn't exist is no failure."""
        if error.action in (ErrorAction.ABSENT, ErrorAction.CONFLICT):
            return
        one = self.of(error.api)
        one.errors += 1
        one.throttles += error.throttled
        one.last_error, one.last_error_at = f"{error.code}: {error.detail}", self.clock()
        if silent and service not in self._silent:
            self._silent[service] = (self.clock(), f"{service} can't be reached ({error.code})")

    @property
    def silence(self) -> tuple[float, str] | None:
        """Since when which service has not answered; None while all do."""
        return min(self._silent.values(), default=None)

    @property
    def answering_since(self) -> float:
        """When the last silence ended."""
        return self._last_change

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls by API, since the start."""
        return {name: one.calls for name, one in self.apis.items()}
