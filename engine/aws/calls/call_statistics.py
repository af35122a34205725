"""Statistics of calls to AWS: per API how many, how fast, how often refused; and whether AWS answers at all.

Costs a few microseconds a call and a few kilobytes an API. Only the event loop's thread touches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.aws.budget import Clock
from engine.aws.calls.histogram import RecentHistogram
from engine.aws.errors import AwsError, ErrorAction

RATE_WINDOW_S: Final = 10.0
FAILING_FOR_S: Final = 60.0
"""An API that failed last, and was not called for this long, is not called failing any more."""
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
    throttled: RecentHistogram | None = None
    """Throttles of the last five minutes; None before the first."""
    is_throttled: bool = False
    """AWS throttled the last call that failed."""
    succeeded_at: float | None = None
    """Time of the last call that AWS did."""
    failed_since: float | None = None
    """Time of the first failure after that call."""

    @property
    def recent_throttles(self) -> int:
        """Throttles of the last five minutes."""
        return 0 if self.throttled is None else self.throttled.count

    def failing_since(self, now: float) -> float | None:
        """Time since which every call fails; None when the last one succeeded, or is long ago."""
        is_recent = self.last_error_at is not None and now - self.last_error_at < FAILING_FOR_S
        return self.failed_since if is_recent else None

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

    def record_success(self, api: str) -> None:
        """End a run of failures: AWS did what was asked."""
        one = self.of(api)
        one.succeeded_at, one.failed_since = self.clock(), None

    def record_answer(self, service: str) -> None:
        """End the silence of a service: AWS answered, whatever it said."""
        self._silent.pop(service, None)

    def record_failure(self, error: AwsError, service: str, *, silent: bool) -> None:
        """Count a failed call; `silent`: no answer came at all. That something doesn't exist is no failure."""
        if error.action in (ErrorAction.ABSENT, ErrorAction.CONFLICT):
            return
        one = self.of(error.api)
        one.errors += 1
        self._record_throttle(one, error)
        one.last_error, one.last_error_at = f"{error.code}: {error.detail}", self.clock()
        one.failed_since = one.last_error_at if one.failed_since is None else one.failed_since
        if silent and service not in self._silent:
            self._silent[service] = (self.clock(), f"{service} can't be reached ({error.code})")

    def _record_throttle(self, one: ApiStatistics, error: AwsError) -> None:
        one.is_throttled = error.throttled
        if error.throttled:
            one.throttles += 1
            one.throttled = one.throttled or RecentHistogram(self.clock)
            one.throttled.add(1)

    def silence_of(self, service: str) -> tuple[float, str] | None:
        """Start of a service's silence, with what is known of it; None while it answers."""
        return self._silent.get(service)

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls by API, since the start."""
        return {name: one.calls for name, one in self.apis.items()}
