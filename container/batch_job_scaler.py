"""Scaler's client inside a job: `Client()` finds its scheduler, and its tasks say which task they belong to.

Nothing of Scaler is imported here: an image need not hold it. When the task's code imports it, three of its modules
are told on the way in what a worker of Scaler's own would know. Where a release lacks what is looked for, the client
needs an address, as it would without this.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from batch_job_wire.protocol import nested_client_name

_BACKEND: Final = "SCALER_NETWORK_BACKEND"


class SchedulerAddress(NamedTuple):
    """Where a nested client finds its scheduler: `tcp://HOST:PORT` and the transport. Empty: not known."""

    address: str = ""
    transport: str = ""


def choose_transport(scheduler: SchedulerAddress) -> None:
    """Tell Scaler the transport, before it is imported."""
    if scheduler.transport:
        os.environ.setdefault(_BACKEND, scheduler.transport)


def introduce_task(task_id: bytes, scheduler: SchedulerAddress) -> None:
    """Tell Scaler, once it is imported in this process, which task (16 bytes) runs here and where its scheduler is."""
    choose_transport(scheduler)
    name = nested_client_name(task_id)
    prepare: dict[str, Callable[[types.ModuleType], None]] = {
        "scaler.utility.identifiers": lambda module: _name_clients(module, name),
    }
    if scheduler.address:
        prepare["scaler.worker.agent.processor.processor"] = lambda module: _set_processor(module, scheduler.address)
        prepare["scaler.client.client"] = _advertise_storage
    for imported in prepare.keys() & sys.modules.keys():
        _prepare(prepare.pop(imported), sys.modules[imported])
    sys.meta_path.insert(0, _Finder(prepare))


def _prepare(prepare: Callable[[types.ModuleType], None], module: types.ModuleType) -> None:
    with contextlib.suppress(Exception):  # another release: the client then says itself that it needs an address
        prepare(module)


class _Processor:
    """What `Client()` asks of the processor that it runs in."""

    def __init__(self, address: object, task: object) -> None:
        self._address = address
        self._task = task

    def scheduler_address(self) -> object:
        return self._address

    def object_storage_address(self) -> None:
        """Not known here: the scheduler advertises it."""

    def current_task(self) -> object:
        return self._task


def _name_clients(module: Any, name: str) -> None:
    generate = module.ClientID.generate_client_id
    module.ClientID.generate_client_id = staticmethod(lambda given=None: generate(given or name))


def _set_processor(module: Any, address: str) -> None:
    """As the variable's default, so that threads of the task see it, too."""
    task = types.SimpleNamespace(metadata=b"\0" * 6)  # no profiling, priority 0, no streaming
    processor = _Processor(module.AddressConfig.from_string(address), task)
    module._current_processor = ContextVar("_current_processor", default=processor)


def _advertise_storage(module: Any) -> None:
    client, resolve = module.Client, "_Client__resolve_object_storage_address"
    getattr(client, resolve)  # a release without it asks the processor in another way, or not at all
    setattr(client, resolve, staticmethod(lambda scheduler, storage: storage))


class _Finder:
    """Finds nothing itself: what others find is prepared after it was executed."""

    def __init__(self, prepare: Mapping[str, Callable[[types.ModuleType], None]]) -> None:
        self._prepare = dict(prepare)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        prepare = self._prepare.pop(fullname, None)
        if prepare is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, prepare)
        return spec


class _Loader:
    def __init__(self, loader: Any, prepare: Callable[[types.ModuleType], None]) -> None:
        self._loader = loader
        self._prepare = prepare

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        module: types.ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        _prepare(self._prepare, module)
