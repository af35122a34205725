"""Kinds of configuration values: how each is read from text or TOML, and what is allowed, in words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from engine.config.settings import TELEMETRY_AUTO, TELEMETRY_OFF
from engine.model import Budget, BudgetUnit

ADDRESS_SCHEMES_WITH_PORT: Final = ("tcp", "tls", "ws", "wss")

VCPU_HOURS: Final = "vcpuh"
"""End of an amount of vCPU-hours."""

BUDGET_ALLOWED: Final = "an amount of money like 50, or of vCPU-hours like 400vcpuh"

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class ValueKind:
    """Kind of value. `parse` takes text or a TOML value, and raises ValueError for what isn't `allowed`."""

    allowed: str
    metavar: str
    parse: Callable[[object], object]
    choices: tuple[str, ...] = ()
    is_switch: bool = False
    repeatable: bool = False


def integer(minimum: int, maximum: int | None = None, *, allowed: str | None = None) -> ValueKind:
    """Kind: a whole number in the closed range."""

    def parse(value: object) -> object:
        number = int(value) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError
        return _in_range(number, minimum, maximum)

    upper = "" if maximum is None else f" to {maximum}"
    lower = f"from {minimum}" if maximum is not None else f"of at least {minimum}"
    return ValueKind(allowed or f"a whole number {lower}{upper}", "INTEGER", parse)


def decimal(minimum: float) -> ValueKind:
    """Kind: a finite number, `minimum` or more."""

    def parse(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        return _in_range(number, minimum, None)

    return ValueKind(f"a number of at least {minimum:g}", "NUMBER", parse)


def text(pattern: str, allowed: str, metavar: str = "TEXT") -> ValueKind:
    """Kind: text that the pattern matches as a whole."""
    compiled = re.compile(pattern)

    def parse(value: object) -> object:
        return _matching(compiled, value)

    return ValueKind(allowed, metavar, parse)


def choice(*names: str) -> ValueKind:
    """Kind: one of these names."""

    def parse(value: object) -> object:
        if value not in names:
            raise ValueError
        return value

    return ValueKind("one of " + ", ".join(names) if len(names) > 1 else names[0], "NAME", parse, names)


def switch() -> ValueKind:
    """Kind: on or off; on the command line the flag alone turns it on."""

    def parse(value: object) -> object:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.lower() not in ("true", "false"):
            raise ValueError
        return value.lower() == "true"

    return ValueKind("true or false", "BOOLEAN", parse, is_switch=True)


def paths(metavar: str = "PATH") -> ValueKind:
    """Kind: one path or several."""

    def parse(value: object) -> object:
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)) or not given:
            raise ValueError
        if not all(isinstance(path, str) and path for path in given):
            raise ValueError
        return tuple(given)

    return ValueKind("a path or a list of paths", metavar, parse, repeatable=True)


def names() -> ValueKind:
    """Kind: one name of a capability or several, as a list or with commas."""

    def parse(value: object) -> object:
        given = value.split(",") if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) and name.strip() for name in given):
            raise ValueError
        return tuple(name.strip() for name in given)

    return ValueKind('names like "gpu,large", or a list of them', "NAMES", parse)


def path(metavar: str) -> ValueKind:
    """Kind: one path."""

    def parse(value: object) -> object:
        if not isinstance(value, str) or not value:
            raise ValueError
        return value

    return ValueKind("a path", metavar, parse)


def telemetry() -> ValueKind:
    """Kind: `auto`, `off`, or an address with room for two more ports."""
    pattern = re.compile(r"tcp://[^/\s]+:(?P<port>\d+)")

    def parse(value: object) -> object:
        if value in (TELEMETRY_AUTO, TELEMETRY_OFF):
            return value
        matched = pattern.fullmatch(value) if isinstance(value, str) else None
        if matched is None:
            raise ValueError
        _in_range(int(matched["port"]), 1, 65533)
        return value

    return ValueKind("auto, off, or an address like tcp://0.0.0.0:27500", "auto|off|ADDRESS", parse)


def address() -> ValueKind:
    """Kind: a Scaler address."""
    schemes = "|".join(ADDRESS_SCHEMES_WITH_PORT)
    pattern = re.compile(rf"(?:{schemes})://(?P<host>[^/\s]+):(?P<port>\d+)(?:/\S*)?|ipc://\S+")

    def parse(value: object) -> object:
        matched = pattern.fullmatch(value) if isinstance(value, str) else None
        if matched is None:
            raise ValueError
        if matched["port"] is not None:
            _in_range(int(matched["port"]), 1, 65535)
        return value

    return ValueKind("an address like tcp://10.0.0.5:8516 (tcp, tls, ws, wss or ipc)", "ADDRESS", parse)


def capabilities() -> ValueKind:
    """Kind: Scaler's own notation, `linux,gpu=1`; a bare name counts -1, which is Scaler's "any number"."""
    pattern = re.compile(r"\s*(?P<name>[^\s=,]+)\s*(?:=\s*(?P<count>-?\d+)\s*)?")

    def parse(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError
        counts: dict[str, int] = {}
        for item in value.split(",") if value.strip() else ():
            matched = pattern.fullmatch(item)
            if matched is None:
                raise ValueError
            counts[matched["name"]] = int(matched["count"] or -1)
        return counts

    return ValueKind('names with optional counts, like "linux,gpu=1"', "LIST", parse)


def s3_prefix() -> ValueKind:
    """Kind: a key prefix; slashes at its ends are dropped, because keys are joined with one."""
    pattern = re.compile(r"[A-Za-z0-9!_.*'()/-]{1,256}")

    def parse(value: object) -> object:
        prefix = _matching(pattern, value).strip("/")
        if not prefix or "//" in prefix:
            raise ValueError
        return prefix

    return ValueKind("a key prefix of letters, digits and !_.*'()/- (256 at most)", "PREFIX", parse)


def inline_limit(maximum: int) -> ValueKind:
    """Kind: `auto`, or a number of characters."""
    return _word_or_number("auto", maximum, "a whole number of characters")


def pack(maximum: int) -> ValueKind:
    """Kind: `off`, `auto`, or a number of tasks."""
    number = integer(2, maximum)

    def parse(value: object) -> object:
        if value is False:  # TOML's
            return "off"
        return value if value in ("off", "auto") else number.parse(value)

    return ValueKind(f"off, auto, or a whole number of tasks from 2 to {maximum}", "off|auto|INTEGER", parse)


def pack_parallel(maximum: int) -> ValueKind:
    """Kind: `vcpus`, or a number of tasks."""
    return _word_or_number("vcpus", maximum, "a whole number of tasks", least=1)


def scheduling_priority(maximum: int) -> ValueKind:
    """Kind: `task`, or a number that AWS Batch takes."""
    return _word_or_number("task", maximum, "a whole number")


def price() -> ValueKind:
    """Kind: money of a vCPU-hour, or of an hour of each instance type: `0.04`, `m5.large=0.096,c5.xlarge=0.17`."""
    pattern = re.compile(r"\s*(?P<name>[a-z0-9-]+\.[a-z0-9-]+)\s*=\s*(?P<money>[0-9.]+)\s*")
    money = decimal(0)

    def by_type(text: str) -> dict[str, object]:
        matches = [pattern.fullmatch(item) for item in text.split(",")]
        if None in matches:
            raise ValueError
        return {one["name"]: one["money"] for one in matches if one is not None}

    def parse(value: object) -> object:
        given = by_type(value) if isinstance(value, str) and "=" in value else value
        prices = given if isinstance(given, dict) else {"": given}
        parsed = {name: money.parse(one) for name, one in prices.items()}
        if not parsed or not all(parsed.values()):
            raise ValueError
        return parsed if isinstance(given, dict) else parsed[""]

    return ValueKind(
        "money above 0 per vCPU-hour, or per instance type like m5.large=0.096,c5.xlarge=0.17",
        "MONEY|TYPE=MONEY,…",
        parse,
    )


def budget() -> ValueKind:
    """Kind: an amount of money, or of vCPU-hours."""
    return ValueKind(BUDGET_ALLOWED, "AMOUNT", parse_budget)


def parse_budget(value: object) -> Budget:
    """Parse `50` or `400vcpuh`. Raises ValueError for what isn't one."""
    text = str(value).strip().lower() if not isinstance(value, bool) else ""
    amount = text.removesuffix(VCPU_HOURS)
    limit = decimal(0).parse(amount)
    if not isinstance(limit, float) or not limit:
        raise ValueError
    return Budget(limit, BudgetUnit.MONEY if amount == text else BudgetUnit.VCPU_HOURS)


def _word_or_number(word: str, maximum: int, what: str, least: int = 0) -> ValueKind:
    number = integer(least, maximum)

    def parse(value: object) -> object:
        return value if value == word else number.parse(value)

    return ValueKind(f"{word}, or {what} from {least} to {maximum}", f"{word}|INTEGER", parse)


def unlimited_or_positive() -> ValueKind:
    """Kind: a positive number; Scaler's -1 for "no limit" becomes None."""
    number = integer(-1)

    def parse(value: object) -> object:
        parsed = number.parse(value)
        if parsed == 0:
            raise ValueError
        return None if parsed == -1 else parsed

    return ValueKind("-1 (no limit) or a whole number of at least 1", "INTEGER", parse)


def _in_range(number: Number, minimum: Number, maximum: Number | None) -> Number:
    if number < minimum or (maximum is not None and number > maximum):
        raise ValueError
    return number


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError
    return value
