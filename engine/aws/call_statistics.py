"""Statistics of calls to AWS: per API how many, how fast, how often refused; and whether AWS answers at all.

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
    """Statistics of one API. Times are the clock's."""

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
        """Percentiles of the last five minutes, in seconds, for shares as 0.99; 0.0 without calls."""
        return tuple(value / MICROSECONDS for value in self.latency_us.percentiles(*shares))


@dataclass(slots=True, eq=False)
class CallStatistics:
    """Statistics of all APIs, recorded by `AwsClient` for each call."""

    clock: Clock
    apis: dict[str, ApiStatistics] = field(default_factory=dict)
    _silent: dict[str, tuple[float, str]] = field(default_factory=dict)
    _last_change: float = field(init=False)

    def __post_init__(self) -> None:
        self._last_change = self.clock()

    def of(self, api: str) -> ApiStatistics:
        """Statistics of one API, empty ones for an API that was never called."""
        found = self.apis.get(api)
        if found is None:
            found = ApiStatistics(RecentHistogram(self.clock), RecentHistogram(self.clock, RATE_WINDOW_S))
            self.apis[api] = found
        return found

    def record_start(self, api: str, calls: int = 1) -> None:
        """Count `calls` of `api` that are being made."""
        statistics = self.of(api)
        statistics.calls += calls
        statistics.recent.add(1, calls)

    def record_latency(self, api: str, seconds: float, calls: int = 1) -> None:
        """Add the latency of `calls` that were answered, or given up, one after the other within `seconds`."""
        self.of(api).latency_us.add(seconds * MICROSECONDS / calls, calls)

    def record_answer(self, service: str) -> None:
        """End the silence of a service: AWS answered, whatever it said."""
        if self._silent.pop(service, None) is not None and not self._silent:
            self._last_change = self.clock()

    def record_failure(self, error: AwsError, service: str, *, silent: bool) -> None:
        """Count a failed call; `silent`: no answer came at all. That something doesn't exist is no failure."""
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
        """Start of the longest silence of a service, with what is known of it; None while all answer."""
        return min(self._silent.values(), default=None)

    @property
    def answering_since(self) -> float:
        """Time at which the last silence ended."""
        return self._last_change

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls by API, since the start."""
        return {name: one.calls for name, one in self.apis.items()}
