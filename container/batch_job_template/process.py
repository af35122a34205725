"""The processes that those of tasks are forked from: a bare one, and one that has loaded a function once.

They have nothing of the runner's: that forked the bare one before it had credentials, a payload or a secret. What tasks
are called with goes past them, from the runner to each task's process. They are as much the user's as those are.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple, NoReturn

from batch_job_child import LoadedFunction, Payload, UserCode, load_function, run_loaded, run_payload
from batch_job_control import MessageKind, TaskChannel, join_parts, receive, send, split_parts
from batch_job_process import flush, freeze_loaded, redirect, search_first, stand_apart, take_over_process
from batch_job_scaler import SchedulerAddress, choose_transport
from batch_job_template.forking import Become, ForkingProcess, serve_forks, start_forking
from batch_job_template.inspection import Inspection, LoadRefusal

SECOND_TO_GO: Final = 999
"""The `oom_score_adj` of the template: the task's process goes before it, the runner after it."""
_TASK, _TEMPLATE = b"task", b"template"
"""What a process of the bare one is to become: the first that it is told."""
_FOLLOWED = "followed"
"""Of a task that others may have the function of."""


class LoadAnswer(NamedTuple):
    """What became of the load: `detail` is the class of what was raised."""

    refusal: LoadRefusal | None = None
    detail: str = ""

    def encode(self) -> bytes:
        """The answer as the data of a message."""
        return join_parts([str.encode(self.refusal or ""), self.detail.encode(errors="replace")])

    @classmethod
    def decode(cls, data: bytes) -> LoadAnswer:
        """The answer out of the data of a message; whatever else comes is a load that failed."""
        try:
            refusal, detail = (part.decode() for part in split_parts(data))
            return cls(LoadRefusal(refusal) if refusal else None, detail)
        except (ValueError, struct.error):
            return cls(LoadRefusal.RAISED, "nothing that it answers can be read")


def send_order(control: socket.socket, payload: Payload, generators: Collection[str]) -> None:
    """Tell a process of the bare one to become a template: the function of this task, and what another load found.

    Raises `OSError`.
    """
    _give(control, [_TEMPLATE, _words(payload), payload.serializer, payload.function, *map(str.encode, generators)])


def send_task(control: socket.socket, payload: Payload, door: str, *, is_loaded: bool) -> None:
    """Tell a process that was forked for this task what it is; where its function is loaded, not that again.

    Raises `OSError`.
    """
    parts = [payload.task_id, door.encode()]
    if not is_loaded:
        parts = [_TASK, *parts, _words(payload), payload.serializer, payload.function]
    _give(control, [*parts, *(one for one in payload.arguments if isinstance(one, bytes))])


def _words(payload: Payload) -> bytes:
    followed = _FOLLOWED if payload.may_have_followers else ""
    return os.fsencode("\0".join([payload.folder, followed, *payload.scheduler, *payload.code]))


def _read_words(words: bytes) -> tuple[SchedulerAddress, tuple[str, ...], str, bool]:
    """What `_words` said, in the order of the fields of `Payload`."""
    folder, followed, address, transport, *code = os.fsdecode(words).split("\0")
    return SchedulerAddress(address, transport), tuple(code), folder, followed == _FOLLOWED


def _give(control: socket.socket, parts: Sequence[bytes]) -> None:
    send(control, MessageKind.GIVEN, join_parts(parts))


def prepare_bare() -> Become:
    """Make the process that was forked from the runner the bare one; what is forked from it is told what to become."""
    take_over_process(os.dup(1), os.dup(2))
    return _run_told


@contextlib.contextmanager
def bare_process(is_packed: bool) -> Iterator[ForkingProcess | None]:
    """The bare process of a job, ended at its end; None: the tasks' are forked from the runner.

    To be entered before there is anything that tasks shall not have.
    """
    bare = start_forking(prepare_bare) if is_packed and sys.platform == "linux" else None
    try:
        yield bare
    finally:
        if bare is not None:
            bare.end()


def _run_told(descriptors: Sequence[int]) -> NoReturn:
    try:
        control = socket.socket(fileno=descriptors[0])
        first, *given = split_parts(receive(control))
        if first == _TASK:
            _run_task(given, control, descriptors)
        _run_template(given, control)
    finally:
        os._exit(1)


def _run_task(given: Sequence[bytes], control: socket.socket, descriptors: Sequence[int]) -> NoReturn:
    _, stdout, stderr = descriptors
    task_id, door, words, serializer, function, *arguments = given
    payload = Payload(serializer, function, tuple(arguments), task_id, *_read_words(words), is_packed=True)
    redirect(stdout, stderr)
    run_payload(payload, TaskChannel(control, door.decode()))


def _run_template(given: list[bytes], control: socket.socket) -> NoReturn:
    scheduler, code, folder, _ = _read_words(given.pop(0))
    stand_apart(folder, SECOND_TO_GO)
    choose_transport(scheduler)
    search_first(code)
    loaded, renew = _load(given, folder, control)
    given.clear()  # no copy beside what was loaded
    serve_forks(control, lambda given: _run_loaded(loaded, renew, scheduler, given))


def _load(given: Sequence[bytes], folder: str, control: socket.socket) -> tuple[LoadedFunction, Callable[[], None]]:
    """The loaded function, and what each task does about random numbers; ends where this can't be forked from."""
    from batch_job_template.generators import renewal  # a task's process has none of its pages

    serializer, function, *generators = given
    inspection = Inspection(folder)
    try:
        with UserCode(TaskChannel(control)):
            loaded = load_function(serializer, function)
        renew = renewal(frozenset(map(bytes.decode, generators)))
        refusal = inspection.refusal()
    except BaseException as error:
        send(control, MessageKind.GIVEN, LoadAnswer(LoadRefusal.RAISED, type(error).__name__).encode())
        raise
    flush()
    freeze_loaded()
    send(control, MessageKind.GIVEN, LoadAnswer(refusal).encode())
    if refusal is not None:
        os._exit(0)
    return loaded, renew


def _run_loaded(
    loaded: LoadedFunction, renew: Callable[[], None], scheduler: SchedulerAddress, descriptors: Sequence[int]
) -> NoReturn:
    try:
        number, stdout, stderr = descriptors
        control = socket.socket(fileno=number)
        task_id, door, *arguments = split_parts(receive(control))
        renew()
        run_loaded(loaded, arguments, (task_id, scheduler), TaskChannel(control, door.decode()), (stdout, stderr))
    finally:
        os._exit(1)
