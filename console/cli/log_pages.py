"""Log lines for `scaler-batch logs`: asked for page after page, forwards from the newest or back to a time."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from console.cli.session import call_engine
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import GetLogs, LogLine, LogPage

ASK_AGAIN_S: Final = 0.5
ASK_OLDER_AGAIN_S: Final = 0.1
ONCE_S: Final = 10.0
"""Seconds it takes at most unless followed: the engine begins to read a stream with the first request for it."""
QUIET_S: Final = 3.0
"""Seconds without a new line that end it earlier, unless the engine knows that no more will come."""
OLDER_LINES: Final = 5_000
_MS: Final = 0.001
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_since(text: str, now: float) -> float:
    """Time (epoch) of `10m`, `2h`, `08:05`, or an ISO date and time; local unless it names a zone. `ConfigError`."""
    if duration := _DURATION.fullmatch(text):
        return now - float(duration[1]) * _SECONDS[duration[2]]
    today = datetime.fromtimestamp(now).date().isoformat()
    for written in (text, f"{today}T{text}"):
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.fromisoformat(written).timestamp()
    raise ConfigError(f"--since {text} is no time: expected 10m, 2h, 1d, 08:05 or 2026-01-31T08:05")


def follow_pages(client: TelemetryClient, request: GetLogs) -> Iterator[LogPage]:
    """Pages as they come, until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        for page in _pages(client, request):
            yield page
            if len(page.lines) < request.limit:
                time.sleep(ASK_AGAIN_S)


def pages_once(client: TelemetryClient, request: GetLogs) -> Iterator[LogPage]:
    """Pages of what there is, until the engine says that it is all or nothing new comes."""
    last_line_at, deadline = None, time.monotonic() + ONCE_S
    for page in _pages(client, request):
        yield page
        if len(page.lines) >= request.limit:
            continue  # there is more already
        now = time.monotonic()
        last_line_at = now if page.lines else last_line_at
        is_quiet = last_line_at is not None and now - last_line_at > QUIET_S
        if now > deadline or is_quiet or page.is_done or (not page.lines and _is_final(page)):
            return
        time.sleep(ASK_AGAIN_S)


def lines_before(client: TelemetryClient, request: GetLogs, first: LogPage, since: float) -> Iterator[LogPage]:
    """Pages of what is before the first line of `first`, the newest of them first, back to `since` or the beginning."""
    import msgspec

    from engine.telemetry.schema.messages import LogPage

    before, earlier = first.lines[0].at + _MS, first.earlier
    while earlier and before > since:
        page = call_engine(client, msgspec.structs.replace(request, before=before, limit=OLDER_LINES), LogPage)
        if page.pending:
            time.sleep(ASK_OLDER_AGAIN_S)
            continue
        if page.lines:
            yield page
            before = page.lines[0].at
        earlier = page.earlier and bool(page.lines)


class RepeatedLines:
    """Lines that come once more behind those that were read back: of the millisecond in which the newest ones began.

    Without `older` there are none.
    """

    def __init__(self, first: LogPage, older: LogPage | None) -> None:
        self._begin = older.lines[0].at if older else float("inf")
        self._end = first.lines[0].at + _MS
        self._tasks = {line.task_id for line in older.lines} if older else set()

    def without(self, lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
        """The others of these lines."""
        return tuple(line for line in lines if not (self._begin <= line.at < self._end and line.task_id in self._tasks))


def lost_lines(page: LogPage, after: int) -> int:
    """Lines behind `after` that the engine's ring lost before they could be read."""
    return max(0, page.dropped - (after + 1)) if after >= 0 else 0


def _pages(client: TelemetryClient, request: GetLogs) -> Iterator[LogPage]:
    import msgspec

    from engine.telemetry.schema.messages import LogPage

    watch = ""
    while True:
        page = call_engine(client, request, LogPage)
        began_anew = watch not in ("", page.watch)
        watch = page.watch
        if began_anew:  # our place in the old count means nothing there
            request = msgspec.structs.replace(request, after=-1)
            continue
        yield page
        request = msgspec.structs.replace(request, after=page.next)


def _is_final(page: LogPage) -> bool:
    from engine.telemetry.schema.messages import LogStatus

    return page.kind in (LogStatus.EMPTY, LogStatus.DENIED, LogStatus.MISSING)
