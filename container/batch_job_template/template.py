"""The template's process: it loads a function once, and the processes of tasks are forked from it.

It has nothing of the runner's: that forked its ancestor before it had credentials, a payload or a secret. What tasks
are called with goes past it, from the runner to each task's process. It is as much the user's as those are.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn

from batch_job_child import (
    LoadedFunction,
    Payload,
    UserCode,
    flush,
    freeze_loaded,
    load_function,
    run_loaded,
    search_first,
    stand_apart,
    take_over_process,
)
from batch_job_control import MessageKind, TaskChannel, receive, send
from batch_job_scaler import SchedulerAddress, choose_transport
from batch_job_template.forking import serve_forks
from batch_job_template.generators import renewal
from batch_job_template.inspection import Inspection, LoadRefusal

SECOND_TO_GO: Final = 999
"""The `oom_score_adj` of the template: the task's process goes before it, the runner after it."""


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
    """Tell a template what to load: the function of this task, and what another load found. Raises `OSError`."""
    order: dict[str, object] = {"code": payload.code, "folder": payload.folder, "generators": [*generators]}
    order["scheduler"] = asdict(payload.scheduler)
    for data in (json.dumps(order).encode(), payload.serializer, payload.function):
        send(control, MessageKind.GIVEN, data)


def send_task(control: socket.socket, payload: Payload, door: str) -> None:
    """Tell a process that was forked from a template what to call its function with. Raises `OSError`."""
    arguments = [bytes(one) for one in payload.arguments if isinstance(one, bytes)]
    head = {"task": payload.task_id.hex(), "door": door, "arguments": len(arguments)}
    for data in (json.dumps(head).encode(), *arguments):
        send(control, MessageKind.GIVEN, data)


def run_template(descriptors: Sequence[int]) -> NoReturn:
    """Become the template whose socket is the only descriptor; never returns."""
    try:
        control = socket.socket(fileno=descriptors[0])
        order = json.loads(receive(control))
        serializer, function = receive(control), receive(control)
        scheduler = SchedulerAddress(**order["scheduler"])
        take_over_process(os.dup(1), os.dup(2))
        stand_apart(order["folder"], SECOND_TO_GO)
        choose_transport(scheduler)
        search_first(tuple(order["code"]))
        loaded, renew = _load(serializer, function, order, control)
        del serializer, function
        serve_forks(control, lambda given: _run_task(loaded, renew, scheduler, given))
    finally:
        os._exit(1)


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


def _run_task(
    loaded: LoadedFunction, renew: Callable[[], None], scheduler: SchedulerAddress, descriptors: Sequence[int]
) -> NoReturn:
    try:
        number, stdout, stderr = descriptors
        control = socket.socket(fileno=number)
        head = json.loads(receive(control))
        arguments = [receive(control) for _ in range(head["arguments"])]
        renew()
        task = bytes.fromhex(head["task"]), scheduler
        run_loaded(loaded, arguments, task, TaskChannel(control, head["door"]), (stdout, stderr))
    finally:
        os._exit(1)
