"""Wishes of functions: what a function's `__scaler_batch__` asks of the jobs of its tasks.

A wish travels with the function, so it needs neither capabilities nor the scheduler's monitor. Adding a key: a field
of `Wish` and its row in `_KEYS`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from container.batch_job_quoting import quote_foreign
from engine.aws.limits import JOB_TIMEOUT_MIN_S
from engine.pickles.own_attributes import UnreadablePickle, read_own_attribute

logger = logging.getLogger(__name__)

ATTRIBUTE: Final = "__scaler_batch__"
_LARGEST: Final = 2**53


class BrokenWish(ValueError):
    """A wish that is not understood; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a function asks for. None leaves it to the job definition and the table."""

    memory: int | None = None
    """MiB, or bytes from 16,777,216 on, as in a task's capabilities."""
    vcpus: int | None = None
    gpu: int | None = None
    timeout_minutes: float | None = None
    """Of an attempt; never above the table's."""
    memory_retries: int | None = None
    """How often a task is sent again with more memory."""

    @property
    def timeout_s(self) -> int | None:
        """Seconds that an attempt may run; AWS Batch takes 60 or more."""
        return None if self.timeout_minutes is None else max(JOB_TIMEOUT_MIN_S, math.ceil(self.timeout_minutes * 60))


NO_WISH: Final = Wish()


@dataclass(frozen=True, slots=True)
class _Key:
    expected: str
    fits: Callable[[int | float], bool]
    is_whole: bool = True
    zero_counts: bool = False
    """A 0 is a wish, too."""


_KEYS: Final = {
    "memory": _Key("MiB, a whole number above 0", lambda value: value > 0),
    "vcpus": _Key("a whole number above 0", lambda value: value > 0),
    "gpu": _Key("a whole number", lambda value: value >= 0),
    "timeout_minutes": _Key("minutes, a number above 0", lambda value: value > 0, is_whole=False),
    "memory_retries": _Key("a whole number from 0 to 10", lambda value: 0 <= value <= 10, zero_counts=True),
}
"""Every key of a wish; the names are those of `Wish`'s fields."""


def read_wish(pickled: bytes | memoryview) -> Wish:
    """Read the wish of a pickled function; `NO_WISH` of one that has none, or can't be followed.

    Raises `BrokenWish`.
    """
    try:
        given = read_own_attribute(pickled, ATTRIBUTE)
    except UnreadablePickle as error:
        logger.warning("a function's %s can't be read, its tasks run without: %s", ATTRIBUTE, quote_foreign(error))
        return NO_WISH
    return NO_WISH if given is None else parse_wish(given)


def parse_wish(given: object) -> Wish:
    """Check what a function's attribute holds. Raises `BrokenWish`, which names the key and what it takes."""
    if not isinstance(given, dict):
        raise BrokenWish(f'the function\'s {ATTRIBUTE} must be a dict like {{"memory": 4096, "vcpus": 2}}')
    amounts: dict[str, Any] = {_key(name): _amount(name, value) for name, value in given.items() if value is not None}
    return Wish(**amounts)


def _key(name: object) -> str:
    if not isinstance(name, str) or name not in _KEYS:
        told = quote_foreign(name if isinstance(name, str) else type(name).__name__)
        raise BrokenWish(f"the function's {ATTRIBUTE} has an unknown key, {told}: it may have {', '.join(_KEYS)}")
    return name


def _amount(name: object, value: object) -> int | float | None:
    """The value, 0 as None where it asks for nothing. Raises `BrokenWish`."""
    key = _KEYS[_key(name)]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST:
        amount = int(value) if key.is_whole else value
        if amount == value and key.fits(value):
            return amount if key.zero_counts else amount or None
    told = quote_foreign(value) if isinstance(value, (str, float)) else _describe(value)
    raise BrokenWish(f"{name} in the function's {ATTRIBUTE} must be {key.expected}, not {told}")


def _describe(value: object) -> str:
    """Of a whole number itself, unless it is endless; of anything else what it is."""
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST else "a number as large as that"
    return "something that is no number"
