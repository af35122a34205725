"""Formats of numbers, times and sizes for people: short, of bounded width, and never a 0 for an unknown value.

Owns no width of a terminal cell (that is `console.tui.drawing.spans`) and no colour.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.telemetry.schema.messages import CodeView, Forecast

UNKNOWN: Final = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SIZE_UNITS: Final = "BKMGTPE"
_COUNT_UNITS: Final = ("", "k", "M", "G", "T")


def count(number: float | None) -> str:
    """Whole number with separators: `8,585`."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def ordinal(number: int) -> str:
    """Place in an order: `1st`, `22nd`, `113th`."""
    is_teen = number // 10 % 10 == 1
    return f"{number:,}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def short_count(number: float | None) -> str:
    """Number in at most four characters: `985`, `8.6k`, `112k`, `1.0M`."""
    return UNKNOWN if number is None else _scaled(number, 1000, _COUNT_UNITS)


def size(number: float | None) -> str:
    """Bytes in at most four characters, in steps of 1024: `512B`, `1.8M`."""
    return UNKNOWN if number is None else _scaled(number, 1024, _SIZE_UNITS)


def _scaled(number: float, step: int, units: Sequence[str]) -> str:
    index, value = 0, float(number)
    while round(value) >= 1000 and index < len(units) - 1:
        value /= step
        index += 1
    if index and value < 9.95:
        return f"{value:.1f}{units[index]}"
    return f"{value:.0f}{units[index]}"


def attempt(number: int, resubmits: int = 0) -> str:
    """Number of the attempt, 0 being unknown, and how often the task was sent again as another job: `2`, `1+1`."""
    return f"{number or UNKNOWN}+{resubmits}" if resubmits else str(number or UNKNOWN)


def money(amount: float | None) -> str:
    """Money in at most six characters: `0.04`, `12.40`, `1.2k`; one above 0 is never shown as 0."""
    if amount is None:
        return UNKNOWN
    if amount >= 1000:
        return short_count(amount)
    return "<0.01" if 0 < amount < 0.005 else f"{amount:.2f}"


def hours(vcpu_hours: float | None) -> str:
    """vCPU-hours in at most five characters: `0.04`, `12.4`, `1.2k`; above 0 never shown as 0."""
    if vcpu_hours is None:
        return UNKNOWN
    if vcpu_hours >= 100:
        return short_count(vcpu_hours)
    if vcpu_hours >= 10:
        return f"{vcpu_hours:.1f}"
    return "<0.01" if 0 < vcpu_hours < 0.005 else f"{vcpu_hours:.2f}"


def rate(per_second: float | None) -> str:
    """Rate per second: `41/s`, `0.2/s`; one above 0 is never shown as 0."""
    if per_second is None:
        return f"{UNKNOWN}/s"
    if per_second >= 10 or per_second == 0:
        return f"{short_count(per_second)}/s"
    return f"{per_second:.1f}/s" if per_second >= 0.1 else "<0.1/s"


def age(seconds: float | None) -> str:
    """Age in at most four characters: `0s`, `59s`, `15m`, `3h`, `12d`. A clock that is a bit behind makes no `-1s`."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if whole >= unit:
            return f"{whole // unit}{name}"
    return f"{whole}s"


def span(seconds: float | None) -> str:
    """Duration in two units: `0.8s`, `15m26s`, `3h05m`, `12d4h`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR}h"


def eta(forecast: Forecast | None, *, ascii: bool = False) -> str:
    """Time that is left, as a range: `4m–7m`, one figure where both are alike, `≥` while there may be more."""
    if forecast is None:
        return "-" if ascii else UNKNOWN
    low, high = _rough(forecast.low_s), _rough(forecast.high_s)
    text = low if low == high else f"{low}{'-' if ascii else UNKNOWN}{high}"
    return f"{'>=' if ascii else '≥'}{text}" if forecast.more else text


def _rough(seconds: float) -> str:
    """Duration in at most five characters: `45s`, `9m`, `3h05`, `2d4h`."""
    minutes = round(seconds / _MINUTE)
    if seconds < 100:
        return f"{seconds:.0f}s"
    if minutes < 100:
        return f"{minutes}m"
    if minutes < 48 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}"
    return f"{minutes // 1440}d{minutes % 1440 // 60}h"


def clock(at: float | None, millis: bool = False) -> str:
    """Local time of day: `10:48:48`, with `millis` `10:48:48.137`."""
    if at is None:
        return UNKNOWN
    text = time.strftime("%H:%M:%S", time.localtime(at))
    return f"{text}.{int(at % 1 * 1000):03d}" if millis else text


def when(at: float | None, now: float, millis: bool = False) -> str:
    """Local time of day, with the date unless it is the day of `now` (0: of no day): `Nov 27 10:48:48`."""
    if at is None or not now:
        return clock(at, millis)
    is_today = time.localtime(at)[:3] == time.localtime(now)[:3]
    return clock(at, millis) if is_today else moment(at, millis)


def moment(at: float, millis: bool = False) -> str:
    """Local date and time of day: `Nov 27 10:48:48`."""
    return time.strftime("%b %d ", time.localtime(at)) + clock(at, millis)


def percent(part: float | None, whole: float | None) -> str:
    """Percentage: `53%`; unknown when either is, or when there is no whole."""
    if part is None or not whole:
        return UNKNOWN
    return f"{part / whole * 100:.0f}%"


def percents(parts: Sequence[float]) -> list[int] | None:
    """Whole percents that add up to exactly 100 (largest remainders first); None when there is nothing to share."""
    total = sum(parts)
    if total <= 0:
        return None
    exact = [part / total * 100 for part in parts]
    floors = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: floors[index] - exact[index])
    for index in by_remainder[: 100 - sum(floors)]:
        floors[index] += 1
    return floors


def milliseconds(value: float | None) -> str:
    """Latency: `41ms`, `1.2s`; an API that was never called has none."""
    if not value:
        return UNKNOWN
    return f"{value:.0f}ms" if value < 1000 else f"{value / 1000:.1f}s"


def short_id(task_id: str, length: int = 8) -> str:
    """Beginning of a task id, enough to tell jobs apart on a screen."""
    return task_id[:length]


def describe_code(view: CodeView, now: float) -> str:
    """Code that jobs get besides their image: `99b81179a33f, 14 files of 35 KB, pushed 3m ago`."""
    files = "a file" if view.files == 1 else f"{count(view.files)} files"
    return f"{view.short}, {files} of {size(view.size)}, pushed {age(now - view.pushed_at)} ago"
