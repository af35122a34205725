"""Class name of a pickled exception, without unpickling it. Best effort, as with function names.

Only the class: the message of an exception may hold values of its task.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.pickles.function_names import read_opcodes

_LONGEST_NAME: Final = 80
_SCANNED_BYTES: Final = 64 * 1024


def read_error_name(pickled: bytes) -> str:
    """Read the class, `ZeroDivisionError` say, at most 80 printable characters; empty when the pickle shows none."""
    try:
        name = _first_class(pickled[:_SCANNED_BYTES])
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        return ""
    return "".join(each for each in name if each.isprintable())[:_LONGEST_NAME]


def _first_class(pickled: bytes) -> str:
    recent: deque[str] = deque(maxlen=2)
    for opcode, argument, _ in read_opcodes(pickled):
        if opcode.name == "GLOBAL" and isinstance(argument, str):
            return argument.rpartition(" ")[2]
        if opcode.name == "STACK_GLOBAL" and len(recent) == 2 and not recent[0].startswith("cloudpickle"):
            return recent[1]
        if isinstance(argument, str):
            recent.append(argument)
    return ""
