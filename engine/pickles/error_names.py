"""The class of a pickled exception for people to read, without unpickling it. Best effort, like function names.

Only the class: what an exception says may hold values of its task.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.pickles.function_names import opcodes

_LONGEST_NAME: Final = 80
_LOOKED_AT_BYTES: Final = 64 * 1024


def error_name(pickled: bytes) -> str:
    """`ZeroDivisionError`, say; empty when the pickle doesn't show one."""
    try:
        name = _first_class(pickled[:_LOOKED_AT_BYTES])
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        return ""
    return "".join(each for each in name if each.isprintable())[:_LONGEST_NAME]


def _first_class(pickled: bytes) -> str:
    recent: deque[str] = deque(maxlen=2)
    for opcode, argument, _ in opcodes(pickled):
        if opcode.name == "GLOBAL" and isinstance(argument, str):
            return argument.rpartition(" ")[2]
        if opcode.name == "STACK_GLOBAL" and len(recent) == 2 and not recent[0].startswith("cloudpickle"):
            return recent[1]
        if isinstance(argument, str):
            recent.append(argument)
    return ""
