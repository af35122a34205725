"""The processes that those of tasks are forked from: a bare one, and one that has loaded a function once.

They have nothing of the runner's: that forked the bare one before it had credentials, a payload or a secret. What tasks
are called with goes past them, from the runner to each task's process. They are as much the user's as those are.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, NoReturn

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
from batch_job_control import MessageKind, TaskChannel, receive, send, send_all
from batch_job_scaler import SchedulerAddress, choose_transport
from batch_job_template.forking import Become, serve_forks
from batch_job_template.generators import renewal
from batch_job_template.inspection import Inspection, LoadRefusal

SECOND_TO_GO: Final = 999
"""The `oom_score_adj` of the template: the task's process goes before it, the runner after it."""
_TASK, _TEMPLATE = b"task", b"template"
"""What a process of the bare one is to become: the first that it is told."""
_TERMS: Final = Struct("<I?")
"""How many arguments a task has, and whether others may have its function."""


@dataclass(frozen=True)
class LoadAnswer:
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
    order = {"code": payload.code, "folder": payload.folder, "scheduler": vars(payload.scheduler)}
    order["generators"] = [*generators]
    _give(control, _TEMPLATE, json.dumps(order).encode(), payload.serializer, payload.function)


def send_task(control: socket.socket, payload: Payload, door: str, *, is_loaded: bool) -> None:
    """Tell a process that was forked for this task what it is; where its function is loaded, not that again.

    Not as JSON: what reads that would be a twentieth of a small task's cost. Raises `OSError`.
    """
    arguments = [bytes(one) for one in payload.arguments if isinstance(one, bytes)]
    parts = [payload.task_id, door.encode(), _TERMS.pack(len(arguments), payload.may_have_followers)]
    if not is_loaded:
        words = payload.folder, payload.scheduler.address, payload.scheduler.transport, *payload.code
        parts = [_TASK, *parts, os.fsencode("\0".join(words)), payload.serializer, payload.function]
    _give(control, *parts, *arguments)


def _give(control: socket.socket, *parts: bytes) -> None:
    send_all(control, [(MessageKind.GIVEN, part) for part in parts])


def prepare_bare() -> Become:
    """Make the process that was forked from the runner the bare one; what is forked from it is told what to become."""
    take_over_process(os.dup(1), os.dup(2))
    return _run_told


def _run_told(descriptors: Sequence[int]) -> NoReturn:
    try:
        control = socket.socket(fileno=descriptors[0])
        if receive(control) == _TASK:
            _run_task(control, descriptors)
        _run_template(json.loads(receive(control)), (receive(control), receive(control)), control)
    finally:
        os._exit(1)


def _run_task(control: socket.socket, descriptors: Sequence[int]) -> NoReturn:
    _, stdout, stderr = descriptors
    task_id, door, (arguments, may_have_followers) = _receive_task(control)
    folder, address, transport, *code = os.fsdecode(receive(control)).split("\0")
    payload = Payload(
        receive(control),
        receive(control),
        tuple(receive(control) for _ in range(arguments)),
        task_id,
        SchedulerAddress(address, transport),
        code=tuple(code),
        is_packed=True,
        folder=folder,
        may_have_followers=may_have_followers,
    )
    redirect(stdout, stderr)
    run_payload(payload, TaskChannel(control, door))


def _receive_task(control: socket.socket) -> tuple[bytes, str, tuple[int, bool]]:
    """The task's id, the runner's door, and of `_TERMS` what is said of it."""
    return receive(control), receive(control).decode(), _TERMS.unpack(receive(control))


def _run_template(order: Mapping[str, Any], blobs: tuple[bytes, bytes], control: socket.socket) -> NoReturn:
    scheduler = SchedulerAddress(**order["scheduler"])
    stand_apart(order["folder"], SECOND_TO_GO)
    choose_transport(scheduler)
    search_first(tuple(order["code"]))
    loaded, renew = _load(*blobs, order, control)
    del blobs
    serve_forks(control, lambda given: _run_loaded(loaded, renew, scheduler, given))


def _load(
    serializer: bytes, function: bytes, order: Mapping[str, Any], control: socket.socket
) -> tuple[LoadedFunction, Callable[[], None]]:
    """The loaded function, and what each task does about random numbers; ends where this can't be forked from."""
    inspection = Inspection(order["folder"])
    try:
        with UserCode(TaskChannel(control)):
            loaded = load_function(serializer, function)
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
        task_id, door, (count, _) = _receive_task(control)
        arguments = [receive(control) for _ in range(count)]
        renew()
        run_loaded(loaded, arguments, (task_id, scheduler), TaskChannel(control, door), (stdout, stderr))
    finally:
        os._exit(1)
