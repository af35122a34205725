"""Exceptions on their way to the client: bytes that a plain `pickle.loads` turns into the original exception.

What pickle itself drops is kept: cause, context and notes travel in the state that `BaseException.__setstate__` sets.
What can't be rebuilt becomes a `RuntimeError` that describes it.
"""

from __future__ import annotations

import copyreg
import gc
import io
import os
import pickle
import re
import sys
import traceback
import types
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import cloudpickle
from batch_job_wire.results import LONGEST_ERROR, LONGEST_MESSAGE, LONGEST_PLACE, MAX_RESULT_BYTES

_CHAIN_LIMIT: Final = 16
_TRACEBACK_LIMIT: Final = 32 * 1024
_MESSAGE_LIMIT: Final = 8 * 1024
_FRAMES_LIMIT: Final = 50


def builtin_error(text: str, notes: Sequence[str] = (), kind: type[Exception] = RuntimeError) -> bytes:
    """An error of a builtin `kind` with notes, pickled."""
    error = kind(text)
    _add_notes(error, notes)
    return pickle.dumps(error, protocol=4)


def exception_classes() -> frozenset[type[BaseException]]:
    """The exception classes that a collection of garbage sees: those that were made since the last `gc.freeze`."""
    classes = (one for one in gc.get_objects() if issubclass(type(one), type))
    return frozenset(cls for cls in classes if issubclass(cls, BaseException))


def describe(error: BaseException) -> str:
    """Type and message of an exception in one line; what `sys.exit` was called with."""
    if isinstance(error, SystemExit):
        return f"the function called sys.exit({error.code!r})"[:_MESSAGE_LIMIT]
    name = _qualified_name(type(error))
    try:
        message = str(error)[:_MESSAGE_LIMIT]
    except Exception as broken:
        message = f"(no message: its __str__ raised {type(broken).__name__})"
    return f"{name}: {message}" if message else name


def class_of(error: BaseException) -> str:
    """Name of its class, printable and cut."""
    return _printable(type(error).__name__, LONGEST_ERROR)


def place_of(error: BaseException) -> str:
    """The innermost frame of the user's own code as `file:line function`, without folders and values; cut.

    Where all of it is in libraries: the innermost frame of the task's function's own. Of code that was sent by value
    cloudpickle leaves out the file: then its module (`__main__`) stands there.
    """
    story = [one for one in traceback.walk_tb(error.__traceback__) if not _is_runners(one[0].f_code.co_filename)]
    if not story:
        return ""
    outermost = story[0][0].f_code.co_filename
    own = [one for one in story if not _is_library(one[0].f_code.co_filename)]
    own = own or [one for one in story if one[0].f_code.co_filename.startswith(os.path.dirname(outermost))]
    frame, line = own[-1]
    file = re.split(r"[/\\]", frame.f_code.co_filename)[-1]
    module = frame.f_globals.get("__name__")
    if file.startswith("<") and isinstance(module, str):
        file = module
    return _printable(f"{file}:{line} {frame.f_code.co_name}", LONGEST_PLACE)


def message_of(error: BaseException) -> str:
    """Its text, cut; empty when its `__str__` raises."""
    try:
        return str(error)[:LONGEST_MESSAGE]
    except Exception:
        return ""


def _text_of(value: object) -> str:
    """What stands for a value that can't travel."""
    try:
        return repr(value)[:LONGEST_MESSAGE]
    except Exception:
        return f"<{type(value).__name__}>"


def _printable(text: str, limit: int) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:limit])


def _is_library(file: str) -> bool:
    """The file comes with Python or was installed, here or at the client, whose paths frames of its functions have."""
    if file.startswith("<frozen ") or re.search(r"[/\\](site|dist)-packages[/\\]", file):
        return True
    return file.startswith(os.path.dirname(os.__file__) + os.sep)


def remote_traceback(error: BaseException) -> str:
    """The traceback as a note, without the runner's own first frame and bounded in length."""
    own = error.__traceback__
    lines = traceback.format_exception(type(error), error, own.tb_next if own else None)
    text = "".join(lines).rstrip()
    if len(text) > _TRACEBACK_LIMIT:
        half = _TRACEBACK_LIMIT // 2
        text = f"{text[:half]}\n  ... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return f"Remote traceback of the task:\n{text}"


def traceback_without_values(error: BaseException) -> str:
    """Traceback and types of an exception and its causes, without texts: a log holds no values.

    In the order of Python's own, the last one being `error`.
    """
    chain = [error]
    while (cause := _cause(chain[-1])) is not None and cause not in chain and len(chain) < _CHAIN_LIMIT:
        chain.append(cause)
    return "\n\nThat led to:\n\n".join(_frames(one) for one in reversed(chain))


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(error: BaseException) -> str:
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not _is_runners(one.filename)]
    lines = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in frames[-_FRAMES_LIMIT:]]
    return "\n".join(("Traceback (most recent call last):", *lines, _qualified_name(type(error))))


def _is_runners(file: str) -> bool:
    return os.path.dirname(file) == os.path.dirname(__file__)


class _Way(NamedTuple):
    """How an exception is rebuilt at the client."""

    calls_init: bool = True  # as its class says; an __init__ that doesn't take its own args is the usual trouble
    passes_args: bool = True  # not of one that stands among its own arguments
    forces: bool = False  # past a __setattr__ of its class, as a frozen dataclass has it


_WAYS: Final = (
    _Way(),
    _Way(calls_init=False),
    _Way(forces=True),
    _Way(calls_init=False, forces=True),
    _Way(calls_init=False, passes_args=False, forces=True),
)


def _set_fields(error: BaseException, fields: Mapping[str, object]) -> None:
    """Set attributes whatever its class thinks of that. Travels by value, for a client that has none of our modules."""
    for name, value in fields.items():
        object.__setattr__(error, name, value)


_set_fields.__module__ = "__main__"  # cloudpickle sends by value what lives there


class ExceptionPacker:
    """Packs exceptions for the client, as their own type wherever the client can know that type.

    `client_classes` are the exception classes that came with the payload. The client's cloudpickle remembers what it
    sent by an id, through which it finds its own class again; a class's name wouldn't do, because a class that
    cloudpickle has rebuilt no longer knows whether it stood inside of a function or another class. A class that was
    made while the function ran is unknown to the client; no `except` clause there could name it.
    """

    def __init__(self, client_classes: Collection[type]) -> None:
        self._client_classes = client_classes
        self._ways: dict[int, _Way] = {}
        """How each exception is rebuilt, by its id."""
        self._done: dict[int, BaseException] = {}

    def pack(self, error: BaseException, notes: Sequence[str]) -> bytes:
        """The pickled exception, with its causes and the notes. Changes `error`: its process is about to end."""
        portable = self._portable(error, _CHAIN_LIMIT)
        _add_notes(portable, notes)
        try:
            packed = self._dumps(portable)
            if len(packed) > MAX_RESULT_BYTES:
                raise ValueError(f"it has {len(packed)} bytes serialized, at most {MAX_RESULT_BYTES} can travel")
            return packed
        except Exception as reason:
            return builtin_error(_described(error, reason), notes)

    def _portable(self, error: BaseException, depth: int) -> BaseException:
        """The error, or what stands in for it, with the chain of its causes made portable, too."""
        if id(error) in self._done:
            return self._done[id(error)]
        cause, context, suppress = error.__cause__, error.__context__, error.__suppress_context__
        _set_fields(error, {"__cause__": None, "__context__": None})
        portable = self._with_portable_members(error, depth)
        reason = self._obstacle(portable)
        if reason is not None:
            portable = RuntimeError(_described(error, reason))
        self._done[id(error)] = portable
        if depth:
            _set_fields(portable, {"__cause__": cause and self._portable(cause, depth - 1)})
            _set_fields(portable, {"__context__": context and self._portable(context, depth - 1)})
        _set_fields(portable, {"__suppress_context__": suppress})
        return portable

    def _with_portable_members(self, error: BaseException, depth: int) -> BaseException:
        """A group of Python 3.11 with its members made portable: one of them must not cost the others their types."""
        members: tuple[BaseException, ...] | None = getattr(error, "exceptions", None)
        if sys.version_info < (3, 11) or not isinstance(error, BaseExceptionGroup) or not members or not depth:
            return error
        portable = tuple(self._portable(one, depth - 1) for one in members)
        if all(one is other for one, other in zip(members, portable, strict=True)):
            return error
        try:
            group = error.derive(portable)
        except Exception:  # a class of the user's may derive as it likes
            return error
        _set_fields(group, dict(error.__dict__))
        return group

    def _obstacle(self, error: BaseException) -> BaseException | None:
        """Why the exception can't travel as itself, tried out by unpickling it here."""
        if not isinstance(error, Exception):
            return TypeError("only an Exception may reach the client")
        reason = None
        for way in _WAYS:
            self._ways[id(error)] = way
            found = self._trial(error)
            if found is None:
                return None
            reason = reason or found
        return None if self._leave_out(error) is None else reason

    def _leave_out(self, error: Exception) -> BaseException | None:
        """Leave out the fields that can't travel, so that the type and the others do; None when they do then.

        What was left out is told in a note.
        """
        fields = {name: why for name, value in error.__dict__.items() if (why := self._trouble(value)) is not None}
        args = {number: why for number, value in enumerate(error.args) if (why := self._trouble(value)) is not None}
        if not fields and not args:
            return TypeError("no field of it is in the way")
        lost = [f"{name} ({describe(why)})" for name, why in fields.items()]
        lost += [f"argument {number} ({describe(why)})" for number, why in args.items()]
        error.args = tuple(_text_of(one) if number in args else one for number, one in enumerate(error.args))
        for name in fields:
            del error.__dict__[name]
        _add_notes(error, [f"Left out on the way from the task, because it can't be pickled: {', '.join(lost)}"])
        for way in _WAYS:
            self._ways[id(error)] = way
            if (reason := self._trial(error)) is None:
                return None
        return reason

    def _trouble(self, value: object) -> Exception | None:
        """Why a field can't travel."""
        try:
            pickle.loads(self._dumps(value))
        except Exception as reason:
            return reason
        return None

    def _trial(self, error: Exception) -> Exception | None:
        try:
            loaded = pickle.loads(self._dumps(error))
        except Exception as reason:
            return reason
        return None if type(loaded) is type(error) else TypeError(f"it comes back as a {type(loaded).__name__}")

    def _dumps(self, error: object) -> bytes:
        file = io.BytesIO()
        _Pickler(file, self._client_classes, self._ways).dump(error)
        return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    def __init__(self, file: io.BytesIO, client_classes: Collection[type], ways: Mapping[int, _Way]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._client_classes = client_classes
        self._ways = ways

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, BaseException):
            return self._reduce_exception(obj)
        if isinstance(obj, type) and issubclass(obj, BaseException) and not _is_importable(obj):
            return self._reduce_class(obj)
        return super().reducer_override(obj)

    def _reduce_class(self, cls: type) -> Any:
        if cls not in self._client_classes:
            raise pickle.PicklingError("its class was made while the function ran, the client can't know it")
        return super().reducer_override(cls)[:2]  # its id without its content: the client's class stays as it is

    def _reduce_exception(self, error: BaseException) -> Any:
        way = self._ways.get(id(error), _Way())
        reduced = error.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        if isinstance(reduced, str) or _has_own_state(error, reduced):
            return reduced
        rebuild, arguments = reduced[:2]
        if not way.calls_init:
            rebuild = copyreg.__newobj__  # type: ignore[attr-defined]
            arguments = (type(error), *(error.args if way.passes_args else ()))
        state = {
            **_slots(error, way),
            **error.__dict__,
            **((reduced[2:3] or ({},))[0] or {}),
            **_links(error),
            "args": error.args,
        }
        return (rebuild, arguments, state, None, None, _set_fields) if way.forces else (rebuild, arguments, state)


def _slots(error: BaseException, way: _Way) -> dict[str, object]:
    """Fields that aren't in its `__dict__`: of `__slots__`, and of a builtin family whose `__init__` isn't called."""
    found: dict[str, object] = {}
    for cls in type(error).__mro__:
        if cls is BaseException or (cls.__module__ == "builtins" and way.calls_init) or cls.__name__.endswith("Group"):
            continue
        for name, member in vars(cls).items():
            if isinstance(member, types.MemberDescriptorType) and getattr(error, name, None) is not None:
                found[name] = getattr(error, name)
    return found


def _has_own_state(error: BaseException, reduced: tuple[Any, ...]) -> bool:
    """Whether its class has its own idea of state, with which ours would interfere."""
    state = reduced[2] if len(reduced) > 2 else None
    inherits = getattr(type(error), "__setstate__", None) is BaseException.__setstate__
    return not inherits or not (state is None or isinstance(state, dict)) or len(reduced) > 3


def _links(error: BaseException) -> dict[str, object]:
    links = {"__cause__": error.__cause__, "__context__": error.__context__}
    return {
        **{name: link for name, link in links.items() if link is not None},
        "__suppress_context__": error.__suppress_context__,  # last: setting a cause sets it, too
    }


def _is_importable(cls: type) -> bool:
    if cls.__module__ == "__main__":
        return False
    found: object = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def _described(error: BaseException, reason: BaseException) -> str:
    if not isinstance(error, Exception):
        return describe(error) if isinstance(error, SystemExit) else f"the function raised {describe(error)}"
    return f"{describe(error)} (sent as a RuntimeError, because the original can't travel: {describe(reason)})"


def _qualified_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"


def _add_notes(error: BaseException, notes: Sequence[str]) -> None:
    """`add_note` of Python 3.11, for 3.10 as well: a newer client shows them."""
    if notes:
        error.__dict__["__notes__"] = [*error.__dict__.get("__notes__", ()), *notes]
