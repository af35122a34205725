"""The task's own process, forked from the runner: the only place where the client's code is loaded and called."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import resource
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn

import cloudpickle
from batch_job_control import ChildOutcome, MessageKind, Phase, TaskChannel
from batch_job_errors import (
    ExceptionPacker,
    class_of,
    describe,
    exception_classes,
    message_of,
    place_of,
    remote_traceback,
    traceback_without_values,
)
from batch_job_memory import LARGE_BYTES, FileBytes, LargeBytes, Spool
from batch_job_process import end_program, flush, redirect, search_first, stand_apart, take_over_process
from batch_job_scaler import SchedulerAddress, introduce_task
from batch_job_template.load_report import LoadReport
from batch_job_wire.results import MAX_RESULT_BYTES, PYTHON_VERSION, ResultStatus

_LACKING: Final = r"Can't get attribute '(?P<name>[^']+)' on <module '(?P<module>[^']+)'"
"""Python's words about what pickle refers to by name: its exception has no fields that tell."""

FIRST_TO_GO: Final = 1000
"""The `oom_score_adj` of a packed task's process."""
LONG_LOAD_CPU_S: Final = 0.03
"""From here on a template saves more than a fork from it costs: of CPU, which a busy machine doesn't change much."""
LONG_LOAD_S: Final = 0.5
"""The same of a load that waits rather than computes."""
RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
"""Bytes of the unit in which the system tells resident memory."""
_PLAIN: Final = (type(None), bool, int, float)
"""Results that cloudpickle pickles as pickle does, and faster."""
_Answer = tuple[ChildOutcome, "bytes | FileBytes"]


class Payload(NamedTuple):
    """A task's serialized objects."""

    serializer: bytes
    function: bytes
    arguments: tuple[bytes | LargeBytes, ...]
    task_id: bytes
    scheduler: SchedulerAddress
    code: tuple[str, ...] = ()
    """Folders in which modules are looked for before the image's."""
    folder: str = ""
    """For its temporary files, if it has one of its own."""
    may_have_followers: bool = False
    """Others with the same function may be forked from a template: it tells when that takes long to load."""
    is_packed: bool = False
    """Others run after it in the same container: it leads a process group, and is the first to go for memory."""


class LoadedFunction(NamedTuple):
    """A client's serializer and function, and of a template the exception classes that came with them."""

    serializer: Any
    function: Callable[..., object]
    classes: frozenset[type[BaseException]]


class _Task(NamedTuple):
    """The loaded objects, and the exception classes that came with them."""

    serialize: Callable[[object], bytes | FileBytes]
    function: Callable[..., object]
    arguments: tuple[Any, ...]
    client_classes: frozenset[type]


def run_child(payload: Payload, control: socket.socket, stdout: int, stderr: int, door: str = "") -> NoReturn:
    """Become the task's process: load, call, answer through `control`, end as a program does.

    Never returns into the runner's code.
    """
    channel = TaskChannel(control, door)
    try:
        take_over_process(stdout, stderr)
        run_payload(payload, channel)
    finally:
        os._exit(1)


def run_payload(payload: Payload, channel: TaskChannel) -> NoReturn:
    """Become the process of a task in one that is like a fresh one already."""
    try:
        if payload.is_packed:
            stand_apart(payload.folder, FIRST_TO_GO)
        introduce_task(payload.task_id, payload.scheduler)
        search_first(payload.code)
        _run(lambda: _load(payload, channel), channel)
    finally:
        os._exit(1)  # the runner is gone


def run_loaded(
    loaded: LoadedFunction,
    arguments: Sequence[bytes],
    task: tuple[bytes, SchedulerAddress],
    channel: TaskChannel,
    output: tuple[int, int],
) -> NoReturn:
    """Become the process of a task (its id, and its scheduler) whose function is loaded here already."""
    try:
        redirect(*output)
        stand_apart("", FIRST_TO_GO)
        introduce_task(*task)
        _run(lambda: _with_arguments(loaded, arguments), channel)
    finally:
        os._exit(1)


def _run(load: Callable[[], _Task], channel: TaskChannel) -> NoReturn:
    outcome, body = _answer(load, channel)
    flush()
    told = MessageKind.OUTCOME, _measured(outcome).encode()
    if isinstance(body, FileBytes):
        channel.send(*told)
        channel.send_file(body)
    else:
        channel.send_all([told, (MessageKind.BODY, body)])
    del body  # the runner has it
    end_program(lambda what: channel.send(MessageKind.CLOSING, what.encode()))
    os._exit(0)


def _measured(outcome: ChildOutcome) -> ChildOutcome:
    """With what this process and those that it waited for have used, as `wait4` would tell after its end."""
    own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    return outcome._replace(cpu_s=cpu, peak_bytes=max(own.ru_maxrss, others.ru_maxrss) * RSS_UNIT)


def _answer(load: Callable[[], _Task], channel: TaskChannel) -> _Answer:
    try:
        with UserCode(channel):
            task = load()
    except BaseException as error:
        return _unloadable(error, channel)
    return _call(task, channel)


def _call(task: _Task, channel: TaskChannel) -> _Answer:
    packer = ExceptionPacker(task.client_classes)
    channel.send(MessageKind.PHASE, Phase.RUNNING.encode())
    try:
        with UserCode(channel):
            result = task.function(*task.arguments)
    except BaseException as error:
        return _failed(error, Phase.RUNNING, packer, channel)
    # No user code runs and nothing can go wrong with these: it needn't be said before, which would wake the runner.
    is_plain = type(result) in _PLAIN and task.serialize is _DefaultSerializer.spool
    tell = channel.post if is_plain else channel.send
    tell(MessageKind.PHASE, Phase.RETURNING.encode())
    try:
        with UserCode(channel):
            body = _serialized(task, result)
    except BaseException as error:
        return _failed(error, Phase.RETURNING, packer, channel)
    return ChildOutcome(ResultStatus.SUCCESS, Phase.RETURNING, str(type(result).__name__)), body


class UserCode:
    """Around every place that runs user code: a process that it forked ends when it comes out of there."""

    def __init__(self, channel: TaskChannel) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._channel.is_ours:
            _end_fork(error)


def _end_fork(error: BaseException | None) -> NoReturn:
    """End a process that user code forked, with the exit code that a program of its own would have."""
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        _log_where(error)
    end_program(lambda _: None)
    os._exit(code & 0xFF)


def _serialized(task: _Task, result: object) -> bytes | FileBytes:
    kind = type(result).__qualname__
    try:
        body = task.serialize(result)
    except Exception as error:
        wrong = pickle.PicklingError if isinstance(error, pickle.PicklingError) else TypeError
        raise wrong(f"the function's result, of type {kind}, can't be serialized: {describe(error)}") from error
    if len(body) > MAX_RESULT_BYTES:
        raise ValueError(
            f"the function's result, of type {kind}, has {len(body)} bytes serialized, at most {MAX_RESULT_BYTES} "
            "can travel: store it elsewhere and return where it is"
        )
    return body


def _failed(error: BaseException, phase: Phase, packer: ExceptionPacker, channel: TaskChannel) -> _Answer:
    outcome = _raised(ResultStatus.EXCEPTION, phase, error)
    return outcome, packer.pack(error, _notes(error, channel))


def _unloadable(error: BaseException, channel: TaskChannel) -> _Answer:
    text = f"the task can't be loaded in the container: {describe(error)}; {_hint(error)}"
    wrapper = RuntimeError(text)
    wrapper.__cause__ = error
    outcome = _raised(ResultStatus.UNLOADABLE, Phase.LOADING, error)
    return outcome, ExceptionPacker(()).pack(wrapper, _notes(error, channel))


def _raised(status: ResultStatus, phase: Phase, error: BaseException) -> ChildOutcome:
    name = class_of(error)
    return ChildOutcome(status, phase, name, name, place_of(error), message_of(error))


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"add the module {error.name!r} to the container image, or send it along with --code"
    lacking = re.search(_LACKING, str(error)) if isinstance(error, AttributeError) else None
    if lacking is not None and lacking["module"] == "__main__":
        return (
            f"{lacking['name']!r} of the client's script was sent by its name alone, as functools.lru_cache and other "
            "wrappers are that pickle can't look into: move it to a module that the image has, or wrap inside of the "
            "function"
        )
    if lacking is not None:
        newer = "build the image anew, or send it along with --code"
        return f"the image's {lacking['module']!r} is of another version than the client's: {newer}"
    place = place_of(error)
    if place and not isinstance(error, ImportError):
        return f"the code at {place} raised it while it was imported or its objects were rebuilt"
    return f"the client needs this container's Python ({PYTHON_VERSION}) and the same versions of what it imports"


def _notes(error: BaseException, channel: TaskChannel) -> list[str]:
    """The traceback, and the last lines that the task printed."""
    story = remote_traceback(error)
    flush()
    tail = channel.ask_tail()
    _log_where(error)
    return [story, tail] if tail else [story]


def _log_where(error: BaseException) -> None:
    """For those who read the job's log; after the tail was taken, beside which it would stand twice."""
    with contextlib.suppress(Exception):  # user code may have closed or replaced it
        print(traceback_without_values(error), file=sys.stderr, flush=True)


def _load(payload: Payload, channel: TaskChannel) -> _Task:
    started, cpu_s = time.monotonic(), time.process_time()
    loaded = LoadedFunction(*_rebuild(payload.serializer, payload.function), frozenset())
    seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu_s
    is_long = cpu_s >= LONG_LOAD_CPU_S or seconds >= LONG_LOAD_S
    if payload.may_have_followers and is_long and channel.is_ours:
        with contextlib.suppress(Exception):  # of a generator or a module of the user's own; no template then
            from batch_job_template.generators import fingerprints  # few tasks need it, each would have its pages

            channel.send(MessageKind.LOADED, LoadReport(seconds, fingerprints()).encode())
    return _with_arguments(loaded, payload.arguments)


def load_function(serializer: bytes, function: bytes) -> LoadedFunction:
    """Rebuild a client's serializer and function. Raises whatever the client's code raises."""
    return LoadedFunction(*_rebuild(serializer, function), exception_classes())


def _rebuild(serializer: bytes, function: bytes) -> tuple[Any, Any]:
    rebuilt = _SerializerUnpickler(io.BytesIO(serializer)).load()
    return rebuilt, rebuilt.deserialize(function)


def _with_arguments(loaded: LoadedFunction, data: Sequence[bytes | LargeBytes]) -> _Task:
    arguments = tuple(_argument(loaded.serializer, one) for one in data)
    client_classes = loaded.classes | exception_classes()
    default = _is_default(loaded.serializer)
    serialize = _DefaultSerializer.spool if default else _spooled(loaded.serializer.serialize)
    return _Task(serialize, loaded.function, arguments, client_classes)


def _argument(serializer: Any, data: bytes | LargeBytes) -> Any:
    if not isinstance(data, LargeBytes):
        return serializer.deserialize(data)
    if _is_default(serializer):
        return pickle.load(data.reader())  # as its `deserialize` would, without all of the bytes beside it
    return serializer.deserialize(data.take())


def _is_default(serializer: Any) -> bool:
    return _DefaultSerializer in (serializer, type(serializer))


def _spooled(serialize: Callable[[object], bytes]) -> Callable[[object], bytes | FileBytes]:
    """What is large leaves memory before the runner reads it."""

    def spool(obj: object) -> bytes | FileBytes:
        data = serialize(obj)
        if len(data) <= LARGE_BYTES:
            return data
        spool = Spool()
        spool.write(data)
        return spool.end()

    return spool


class _Serializer:
    """Stands in for the base class of Scaler's serializers: an image need not hold Scaler."""


class _DefaultSerializer(_Serializer):
    """Scaler's default serializer, whose class is pickled by its name only."""

    @staticmethod
    def serialize(obj: object) -> bytes:
        data: bytes = cloudpickle.dumps(obj, protocol=pickle.HIGHEST_PROTOCOL)
        return data

    @staticmethod
    def spool(obj: object) -> bytes | FileBytes:
        """As `serialize`, without all of the bytes beside the object."""
        if type(obj) in _PLAIN:
            return pickle.dumps(obj, protocol=pickle.HIGHEST_PROTOCOL)
        spool = Spool()
        try:
            cloudpickle.dump(obj, spool, protocol=pickle.HIGHEST_PROTOCOL)
        except BaseException:
            spool.close()
            raise
        return spool.end()

    @staticmethod
    def deserialize(data: bytes) -> Any:
        return cloudpickle.loads(data)


class _SerializerUnpickler(pickle.Unpickler):
    """Loads the client's serializer; importing Scaler for its two classes would cost each job 0.3 s."""

    _STAND_INS = {  # noqa: RUF012
        ("scaler.client.serializer.default", "DefaultSerializer"): _DefaultSerializer,
        ("scaler.client.serializer.mixins", "Serializer"): _Serializer,
    }

    def find_class(self, module: str, name: str) -> Any:
        return self._STAND_INS.get((module, name)) or super().find_class(module, name)
