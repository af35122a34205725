"""Answers to control requests: each is logged, done, and reported in one sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import zmq

from container.batch_job_wire.code_archive import CodeError
from engine.code.uploads import CodeUploads
from engine.config.settings import StopMode
from engine.config.values import BUDGET_ALLOWED, parse_budget
from engine.errors import ConfigError
from engine.logging_setup import LEVELS, set_level
from engine.telemetry.schema.messages import (
    AcknowledgeFailures,
    Answer,
    Budget,
    CancelJobs,
    Done,
    Drain,
    EventKind,
    PushCode,
    Refusal,
    Request,
    SetBudget,
    SetConcurrency,
    SetLogLevel,
)
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder

logger = logging.getLogger(__name__)

MAX_CONCURRENT_JOBS: Final = 1_000_000
"""AWS Batch's own bound of jobs that wait in a queue."""
BUDGET_OFF: Final = "off"
CANCELS_AT_ONCE: Final = 200
"""Begun before others get a turn on the event loop."""
_STOP_MODES: Final = tuple(mode.value for mode in StopMode)


class ControlAnswers:
    """Handler of control requests. `may_control` tells of a request's frame whether its sender may do this (still)."""

    def __init__(self, builder: SnapshotBuilder, may_control: Callable[[zmq.Frame], bool]) -> None:
        self._builder = builder
        self._may_control = may_control
        self._uploads = CodeUploads()

    async def answer(self, request: Request, frame: zmq.Frame) -> Answer:
        """Carry out a request. Raises `QueryError`, whose text is the refusal."""
        if not self._may_control(frame):
            return Refusal("this key may only view: ask the engine's owner for one with the role control")
        match request:
            case CancelJobs():
                return await self._cancel(request, who_sent(frame))
            case Drain():
                return self._drain(request, who_sent(frame))
            case SetConcurrency():
                return self._set_concurrency(request, who_sent(frame))
            case SetLogLevel():
                return self._set_log_level(request, who_sent(frame))
            case SetBudget():
                return self._set_budget(request, who_sent(frame))
            case PushCode():
                return self._push_code(request, who_sent(frame))
            case AcknowledgeFailures():
                return self._acknowledge(request)
            case _:
                return Refusal("this socket only takes changes: ask questions at the engine's view socket")

    async def _cancel(self, request: CancelJobs, who: str) -> Done:
        refused: dict[str, str] = {}
        for number, task_id in enumerate(request.task_ids):
            why_not = self._cancel_one(task_id)
            if why_not:
                refused[task_id] = why_not
            if number % CANCELS_AT_ONCE == CANCELS_AT_ONCE - 1:
                await asyncio.sleep(0)
        begun = len(request.task_ids) - len(refused)
        logger.warning("the operator ends %d tasks (%d refused)", begun, len(refused))
        sample = next((task_id for task_id in request.task_ids if task_id not in refused), "")
        if begun:
            self._builder.journal.add(EventKind.CANCELLED, f"{who} ends {_jobs(begun)}", task_id=sample)
        return Done(
            f"{begun} of {len(request.task_ids)} tasks are being ended; their clients see them as failed", refused
        )

    def _cancel_one(self, task_id: str) -> str:
        """Why it can't be done; empty when it is."""
        manager = self._builder.find_manager(task_id)
        if manager is None:
            return "no task of that id is known here"
        why = f"cancelled by the operator of worker manager {manager.config.worker_manager_id}"
        done = manager.tasks.cancel_by_operator(bytes.fromhex(task_id), why)
        return "" if done else "it has ended or is about to"

    def _drain(self, request: Drain, who: str) -> Done:
        if request.mode not in _STOP_MODES:
            raise QueryError(f"{request.mode} is no way to end: give one of {', '.join(_STOP_MODES)}")
        managers = [self._manager(request.manager)] if request.manager else [*self._builder.managers.values()]
        # a second drain would cut the first one short, as a second Ctrl-C does
        draining = [one for one in managers if request.mode != "drain" or not one.is_stopping]
        for manager in draining:
            name = manager.config.worker_manager_id
            logger.warning("the operator ends worker manager %s (%s)", name, request.mode)
            self._builder.journal.add(EventKind.CHANGED, f"{who} ends it ({request.mode})", name)
            manager.stop(StopMode(request.mode))
        under_way = sum(manager.tasks.slots_used for manager in managers)
        names = ", ".join(manager.config.worker_manager_id for manager in managers)
        already = "" if draining else " already"
        return Done(f"{names}: {request.mode}{already} under way, {under_way} tasks in flight")

    def _set_concurrency(self, request: SetConcurrency, who: str) -> Done:
        manager, wanted = self._manager(request.manager), request.max_concurrent_jobs
        if not 1 <= wanted <= MAX_CONCURRENT_JOBS:
            raise QueryError(f"max_concurrent_jobs can't be {wanted}: give 1 to {MAX_CONCURRENT_JOBS}")
        before = manager.tasks.max_concurrent_jobs
        manager.tasks.change_concurrency(wanted)
        logger.warning("the operator changes max_concurrent_jobs of %s: %d to %d", request.manager, before, wanted)
        text = f"{who} changes max_concurrent_jobs from {before} to {wanted}"
        self._builder.journal.add(EventKind.CHANGED, text, request.manager)
        return Done(f"max_concurrent_jobs of {request.manager} is {wanted} (was {before}) until the engine ends")

    def _set_budget(self, request: SetBudget, who: str) -> Done:
        manager = self._manager(request.manager or self._only_manager())
        name, budget = manager.config.worker_manager_id, _read_budget(request.budget)
        try:
            manager.change_budget(budget)
        except ConfigError as error:
            raise QueryError(str(error)) from error
        told = "off" if budget is None else budget.describe()
        logger.warning("the operator changes the budget of %s to %s", name, told)
        self._builder.journal.add(EventKind.CHANGED, f"{who} changes the budget to {told}", name)
        view = manager.budget
        used = "" if view is None or view.used is None else f", {view.used:,.2f} of it are used"
        return Done(f"the budget of {name} is {told}{used}")

    def _push_code(self, request: PushCode, who: str) -> Done:
        managers = [self._manager(request.manager)] if request.manager else [*self._builder.managers.values()]
        try:
            code = self._uploads.add(request.digest, request.size, request.offset, request.data)
        except CodeError as error:
            raise QueryError(str(error)) from error
        if code is None:
            return Done(f"{request.offset + len(request.data):,} of {request.size:,} bytes have come")
        for manager in managers:
            name = manager.config.worker_manager_id
            logger.warning("the operator gives %s the code %s", name, code.short)
            self._builder.journal.add(EventKind.CHANGED, f"{who} pushes the code {code.short}", name)
            manager.use_code(code)
        names = ", ".join(manager.config.worker_manager_id for manager in managers)
        return Done(f"{names}: the code {code.short} of {code.files:,} files is for what is submitted from now on")

    def _acknowledge(self, request: AcknowledgeFailures) -> Done:
        for name, failed in request.failed.items():
            self._manager(name).registry.acknowledge_failures(failed)
        seen = sum(request.failed.values())
        logger.info("the operator acknowledges %d failures", seen)
        return Done(f"{seen:,} failures are acknowledged: FAILED is red again when there is a new one")

    def _set_log_level(self, request: SetLogLevel, who: str) -> Done:
        if request.level not in LEVELS:
            raise QueryError(f"{request.level} is no log level: give one of {', '.join(LEVELS)}")
        set_level(request.level)
        logger.info("the operator sets the log level to %s", request.level)
        self._builder.journal.add(EventKind.CHANGED, f"{who} sets the log level to {request.level}")
        return Done(f"the engine logs {request.level} and worse")

    def _only_manager(self) -> str:
        """Empty when there are several."""
        names = list(self._builder.managers)
        return names[0] if len(names) == 1 else ""

    def _manager(self, name: str) -> Manager:
        managers = self._builder.managers
        if name not in managers:
            raise QueryError(f"there is no worker manager {name or '(no name)'} here, but {', '.join(managers)}")
        return managers[name]


def who_sent(frame: zmq.Frame) -> str:
    """Sender of a request for people: a key behind `tcp://`, else someone on this machine who may act as its user."""
    try:
        key = str(frame.get("User-Id"))
    except zmq.ZMQError:
        key = ""
    return f"the key {key[:8]}" if key else "an operator on this machine"


def _read_budget(text: str) -> Budget | None:
    if text.strip().lower() == BUDGET_OFF:
        return None
    try:
        return parse_budget(text)
    except ValueError:
        raise QueryError(f"{text} is no budget: give {BUDGET_ALLOWED}, or {BUDGET_OFF}") from None


def _jobs(count: int) -> str:
    return "a job" if count == 1 else f"{count:,} jobs"
