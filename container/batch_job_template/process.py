"""The processes that those of tasks are forked from: a bare one, and one that has loaded a function once.

They have nothing of the runner's: that forked the bare one before it had credentials, a payload or a secret. What tasks
are called with goes past them, from the runner to each task's process. They are as much the user's as those are.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from batch_job_child import (
    LoadedFunction,
    Payload,
    UserCode,
    flush,
    freeze_loaded,
    load_function,
    redirect,
    run_loaded,
    run_payload,
    search_first,
    stand_apart,
    take_over_process,
)
from batch_job_control import MessageKind, TaskChannel, join_parts, receive, send, split_parts
from batch_job_scaler import SchedulerAddress, choose_transport
from batch_job_template.forking import Become, serve_forks
from batch_job_template.generators import renewal
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
        return json.dumps([self.refusal and self.refusal.value, self.detail]).encode()

    @classmethod
    def decode(cls, data: bytes) -> LoadAnswer:
        """The answer out of the data of a message; whatever else comes is a load that failed."""
        try:
            refusal, detail = json.loads(data)
            return cls(None if refusal is None else LoadRefusal(refusal), str(detail))
        except (ValueError, TypeError):
            return cls(LoadRefusal.RAISED, "nothing that it answers can be read")


def send_order(control: socket.socket, payload: Payload, generators: Collection[str]) -> None:
    """Tell a process of the bare one to become a template: the function of this task, and what another load found.

    Raises `OSError`.
    """
    order = {"code": payload.code, "folder": payload.folder, "scheduler": payload.scheduler._asdict()}
    order["generators"] = [*generators]
    _give(control, [_TEMPLATE, json.dumps(order).encode(), payload.serializer, payload.function])


def send_task(control: socket.socket, payload: Payload, door: str, *, is_loaded: bool) -> None:
    """Tell a process that was forked for this task what it is; where its function is loaded, not that again.

    Raises `OSError`.
    """
    parts = [payload.task_id, door.encode()]
    if not is_loaded:
        followed = _FOLLOWED if payload.may_have_followers else ""
        words = followed, payload.folder, payload.scheduler.address, payload.scheduler.transport, *payload.code
        parts = [_TASK, *parts, os.fsencode("\0".join(words)), payload.serializer, payload.function]
    _give(control, [*parts, *(one for one in payload.arguments if isinstance(one, bytes))])


def _give(control: socket.socket, parts: Sequence[bytes]) -> None:
    send(control, MessageKind.GIVEN, join_parts(parts))


def prepare_bare() -> Become:
    """Make the process that was forked from the runner the bare one; what is forked from it is told what to become."""
    take_over_process(os.dup(1), os.dup(2))
    return _run_told


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
    followed, folder, address, transport, *code = os.fsdecode(words).split("\0")
    payload = Payload(
        serializer,
        function,
        tuple(arguments),
        task_id,
        SchedulerAddress(address, transport),
        code=tuple(code),
        is_packed=True,
        folder=folder,
        may_have_followers=followed == _FOLLOWED,
    )
    redirect(stdout, stderr)
    run_payload(payload, TaskChannel(control, door.decode()))


def _run_template(given: list[bytes], control: socket.socket) -> NoReturn:
    order = json.loads(given.pop(0))
    scheduler = SchedulerAddress(**order["scheduler"])
    stand_apart(order["folder"], SECOND_TO_GO)
    choose_transport(scheduler)
    search_first(tuple(order["code"]))
    loaded, renew = _load(given, order, control)
    given.clear()  # no copy beside what was loaded
    serve_forks(control, lambda given: _run_loaded(loaded, renew, scheduler, given))


def _load(
    blobs: Sequence[bytes], order: Mapping[str, Any], control: socket.socket
) -> tuple[LoadedFunction, Callable[[], None]]:
    """The loaded function, and what each task does about random numbers; ends where this can't be forked from."""
    inspection = Inspection(order["folder"])
    try:
        with UserCode(TaskChannel(control)):
            loaded = load_function(*blobs)
        renew = renewal(frozenset(order["generators"]))
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
