"""Name of a pickled function, without unpickling it.

Best effort: cloudpickle writes a function of an importable module as a reference (module and qualified name)
and any other one by value, with its `__name__` among its attributes. Anything else reads "?".
"""

from __future__ import annotations

import io
import pickletools
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

UNKNOWN: Final = "?"
_LONGEST_NAME: Final = 80
_MOST_OPCODES: Final = 20_000
_WRAPPER: Final = ("functools", "partial")
"""What it wraps has the name that tells more."""
_VIEWED_BYTES: Final = 64 * 1024
"""Of a value in a pickle that isn't copied out of it."""


def read_function_name(pickled: bytes | memoryview) -> str:
    """Read the name, at most 80 printable characters; "?" when the pickle shows none."""
    try:
        name = _by_value(pickled) or _by_reference(pickled)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        return UNKNOWN
    readable = "".join(each for each in name or UNKNOWN if each.isprintable())
    return readable[:_LONGEST_NAME] or UNKNOWN


def _by_value(pickled: bytes | memoryview) -> str | None:
    previous = ""
    for text in _strings(pickled):
        if previous == "__qualname__":
            return text.rpartition("<locals>.")[2]
        previous = text
    return None


def _by_reference(pickled: bytes | memoryview) -> str | None:
    recent: deque[str] = deque(maxlen=2)
    for opcode, argument, _ in read_opcodes(pickled):
        if opcode.name == "STACK_GLOBAL" and len(recent) == 2 and tuple(recent) != _WRAPPER:
            return None if recent[0].startswith("cloudpickle") else ".".join(recent)
        if isinstance(argument, str):
            recent.append(argument)
    return None


def _strings(pickled: bytes | memoryview) -> Iterator[str]:
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
    pickled: bytes | memoryview, most: int = _MOST_OPCODES
) -> Iterator[tuple[pickletools.OpcodeInfo, object, int | None]]:
    """Iterate over the pickle's operations, a bounded number of them. Raises `ValueError` where it is broken."""
    file: Any = _ViewedPickle(pickled) if isinstance(pickled, memoryview) else io.BytesIO(pickled)
    operations = pickletools.genops(file)
    try:
        yield from islice(operations, most)
    except AttributeError as error:  # a long text of Python 2's, which only bytes can be decoded to
        raise ValueError(str(error)) from None


class _ViewedPickle:
    """File of a large pickle: the large values in it, as arrays that a function holds, are not copied out of it."""

    def __init__(self, pickled: memoryview) -> None:
        self._pickled = pickled
        self._at = 0

    def read(self, length: int) -> bytes | memoryview:
        part = self._pickled[self._at : self._at + length]
        self._at += len(part)
        return part if length > _VIEWED_BYTES else bytes(part)

    def readline(self) -> bytes:
        line = io.BytesIO(self._pickled[self._at : self._at + _VIEWED_BYTES]).readline()
        self._at += len(line)
        return line

    def tell(self) -> int:
        return self._at
