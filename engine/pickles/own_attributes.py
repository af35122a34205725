"""Attribute of a pickled function, read off the pickle's operations; nothing is unpickled.

The operations are followed on a stack of placeholders: only strings, numbers, dicts and tuples keep their values. So
the attribute is that of what will be called, not of another function that it refers to.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine.pickles.function_names import read_opcodes

MOST_OPCODES: Final = 50_000
"""Below 0.2 s; a longer pickle is taken as one that doesn't show the attribute."""
_STATE_PARTS: Final = 4
"""Of a `functools.partial`, its dict last; cloudpickle's functions have two."""


class UnreadablePickle(ValueError):
    """Bytes that are no whole pickle, or one that is too long to follow."""


def read_own_attribute(pickled: bytes | memoryview, name: str) -> object:
    """Read an attribute of the pickled object, or of the function in it if it is a `functools.partial` without one.

    None: there is none. What is neither of strings, numbers, dicts nor tuples reads as an object without meaning.
    Raises `UnreadablePickle`, only for bytes in which the name occurs.
    """
    if not re.search(re.escape(name.encode()), pickled):
        return None
    try:
        found = _PickleStack().follow(pickled)
    except Exception as error:  # bytes of anybody's: they break what reads them in any way
        raise UnreadablePickle(str(error)) from None
    while isinstance(found, _Object):
        for state in reversed(found.states):
            if name in state:
                return state[name]
        found = found.inner
    return None


@dataclass(slots=True, eq=False)
class _Object:
    """Placeholder of what the pickle would make."""

    inner: object = None
    """Function of a `functools.partial`."""
    states: list[dict[object, object]] = field(default_factory=list)

    def take_state(self, state: object) -> None:
        parts = state[:_STATE_PARTS] if isinstance(state, tuple) else (state,)
        self.states.extend(part for part in parts if isinstance(part, dict))


@dataclass(frozen=True, slots=True)
class _Global:
    module: str
    name: str


_MARK: Final = object()
_PARTIAL: Final = _Global("functools", "partial")
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_POPS_MARK: Final = pickletools.markobject
_PLAIN: Final = (str, int, float)
_NO_VALUES: Final = frozenset({"PERSID", "EXT1", "EXT2", "EXT4", "INST"})


class _PickleStack:
    def __init__(self) -> None:
        self._stack: list[object] = []
        self._memo: dict[object, object] = {}
        self._special: dict[str, Callable[[list[object]], object]] = {
            "EMPTY_DICT": lambda _: {},
            "DICT": lambda taken: _set_items({}, taken),
            "SETITEM": lambda taken: _set_items(taken[0], taken[1:]),
            "SETITEMS": lambda taken: _set_items(taken[0], taken[1:]),
            **dict.fromkeys(("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"), tuple),
            "STACK_GLOBAL": lambda taken: _Global(str(taken[0]), str(taken[1])),
            "REDUCE": lambda taken: _call(taken[0], taken[1]),
            "BUILD": lambda taken: _build(taken[0], taken[1]),
        }

    def follow(self, pickled: bytes | memoryview) -> object:
        for opcode, argument, _ in read_opcodes(pickled, MOST_OPCODES):
            if opcode.name == "STOP":
                return self._stack.pop()
            self._step(opcode, argument)
        raise UnreadablePickle("it is too long")

    def _step(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        name = opcode.name
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name == "DUP":
            self._stack.append(self._stack[-1])
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        else:
            self._replace(opcode, argument)

    def _replace(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        taken = self._take(opcode)
        if opcode.name in self._special:
            self._stack.append(self._special[opcode.name](taken))
        elif opcode.name == "GLOBAL":
            self._stack.append(_Global(*str(argument).split(" ", 1)))
        elif opcode.stack_after:
            keeps = isinstance(argument, _PLAIN) and not taken and opcode.name not in _NO_VALUES
            kept = taken[0] if opcode.name in ("APPEND", "APPENDS", "ADDITEMS", "READONLY_BUFFER") else _Object()
            self._stack.append(argument if keeps else kept)

    def _take(self, opcode: pickletools.OpcodeInfo) -> list[object]:
        """What the operation takes off the stack, the lowest first, without the mark."""
        before = opcode.stack_before
        if _POPS_MARK not in before:
            return [self._stack.pop() for _ in before][::-1]
        above = []
        while (top := self._stack.pop()) is not _MARK:
            above.append(top)
        below = [self._stack.pop() for _ in range(before.index(_POPS_MARK))]
        return [*below[::-1], *above[::-1]]


def _set_items(target: object, items: list[object]) -> object:
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, (str, int, float)):
                target[key] = value
            else:
                target[_Object()] = value
    return target


def _call(called: object, arguments: object) -> object:
    given = arguments if isinstance(arguments, tuple) else ()
    if called == _PARTIAL and given:
        return _Object(inner=given[0])
    if isinstance(called, _Global) and called.name == "_function_setstate" and len(given) == 2:
        return _build(*given)
    return _Object()


def _build(target: object, state: object) -> object:
    if isinstance(target, _Object):
        target.take_state(state)
    return target
