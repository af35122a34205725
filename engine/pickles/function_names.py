"""Name of a pickled function, without unpickling it.

Best effort: cloudpickle writes a function of an importable module as a reference (module and qualified name)
and any other one by value, with its `__name__` among its attributes. Anything else reads "?".
"""

from __future__ import annotations

import pickletools
from collections import deque
from collections.abc import Iterator
from typing import Final

UNKNOWN: Final = "?"
_LONGEST_NAME: Final = 80
_MOST_OPCODES: Final = 20_000
_WRAPPER: Final = ("functools", "partial")
"""What it wraps has the name that tells more."""


def read_function_name(pickled: bytes) -> str:
    """Read the name, at most 80 printable characters; "?" when the pickle shows none."""
    try:
        name = _by_value(pickled) or _by_reference(pickled)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        return UNKNOWN
    readable = "".join(each for each in name or UNKNOWN if each.isprintable())
    return readable[:_LONGEST_NAME] or UNKNOWN


def _by_value(pickled: bytes) -> str | None:
    previous = ""
    for text in _strings(pickled):
        if previous == "__qualname__":
            return text.rpartition("<locals>.")[2]
        previous = text
    return None


def _by_reference(pickled: bytes) -> str | None:
    recent: deque[str] = deque(maxlen=2)
    for opcode, argument, _ in read_opcodes(pickled):
        if opcode.name == "STACK_GLOBAL" and len(recent) == 2 and tuple(recent) != _WRAPPER:
            return None if recent[0].startswith("cloudpickle") else ".".join(recent)
        if isinstance(argument, str):
            recent.append(argument)
    return None


def _strings(pickled: bytes) -> Iterator[str]:
    """Iterate over the strings that the pickle pushes, those out of its memo, too: a name of one letter is one."""
    memo: list[str | None] = []
    pushed: str | None = None
    for opcode, argument, _ in read_opcodes(pickled):
        if opcode.name == "MEMOIZE":
            memo.append(pushed)
            continue
        if opcode.name in ("BINGET", "LONG_BINGET") and isinstance(argument, int):
            pushed = memo[argument]
        else:
            pushed = argument if isinstance(argument, str) else None
        if pushed is not None:
            yield pushed


def read_opcodes(
    pickled: bytes, most: int = _MOST_OPCODES
) -> Iterator[tuple[pickletools.OpcodeInfo, object, int | None]]:
    """Iterate over the pickle's operations, a bounded number of them. Raises `ValueError` where it is broken."""
    for number, operation in enumerate(pickletools.genops(pickled)):
        if number >= most:
            return
        yield operation
