"""Answers to those who look: nothing here changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from engine.jobs.trends import WINDOWS, added
from engine.model import Description
from engine.telemetry.schema.messages import (
    Answer,
    Diagnose,
    FullState,
    GetFullState,
    GetJob,
    GetLogs,
    GetTrends,
    GetWindow,
    Hello,
    Job,
    JobRecord,
    JobRow,
    LogPage,
    Refusal,
    Request,
    Trends,
    Welcome,
)
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.diagnosis_answers import diagnosed
from engine.telemetry.server.logs.watch import LogWatch
from engine.telemetry.server.pages import Pages
from engine.telemetry.server.publisher import Publisher
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder

DESCRIBE_S: Final = 3.0
"""AWS may take so long to describe a job; then the answer goes without."""


class ViewAnswers:
    """`may_control` tells of a request's frame whether its sender would be heard at the other desk."""

    def __init__(
        self,
        overview: SnapshotBuilder,
        publisher: Publisher,
        logs: LogWatch,
        pace: RateLimiter,
        may_control: Callable[[zmq.Frame], bool],
    ) -> None:
        self._overview = overview
        self._publisher = publisher
        self._logs = logs
        self._pace = pace
        self._may_control = may_control
        self._windows = Pages(self._rows, overview.clock)

    async def answer(self, request: Request, frame: zmq.Frame) -> Answer:
        """Raises `QueryError`, whose text is the refusal."""
        self._overview.note_viewer()
        match request:
            case Hello():
                return self._welcome(frame)
            case GetFullState():
                return self._full_state()
            case GetWindow():
                self._check_manager(request.manager)
                return await self._windows.get(request)
            case GetJob():
                return Job(await self._record(request.task_id))
            case GetLogs():
                return self._log_page(request)
            case GetTrends():
                return self._trends(request)
            case Diagnose():
                return diagnosed(request, self._overview)
            case _:
                return Refusal("this socket only shows: ask for changes at the engine's control socket")

    def _welcome(self, frame: zmq.Frame) -> Welcome:
        vitals = self._overview.vitals.read(self._overview.lookers())
        return Welcome(self._publisher.engine, vitals, tuple(self._overview.managers), self._may_control(frame))

    def _full_state(self) -> FullState:
        with self._pace.charged():
            return self._publisher.full_state()

    def _rows(self) -> list[JobRow]:
        with self._pace.charged():
            return self._overview.rows()

    def _log_page(self, request: GetLogs) -> LogPage:
        self._check_manager(request.manager)
        with self._pace.charged():
            return self._logs.page(request)

    def _trends(self, request: GetTrends) -> Trends:
        self._check_manager(request.manager)
        if request.window not in WINDOWS:
            raise QueryError(f"there is no trend over {request.window}: ask for {', '.join(WINDOWS)}")
        managers = self._overview.managers
        asked = [managers[request.manager]] if request.manager else managers.values()
        return added(manager.book.trends.window(request.window) for manager in asked)

    def _check_manager(self, name: str) -> None:
        if name and name not in self._overview.managers:
            raise QueryError(f"there is no worker manager {name} here: there is {', '.join(self._overview.managers)}")

    # ---- one job

    async def _record(self, prefix: str) -> JobRecord:
        manager, task_id = self._overview.the_one(prefix)
        config, record = manager.config, manager.book.record(task_id)
        assert record is not None
        record = msgspec.structs.replace(record, queue=config.job_queue, definition=config.job_definition)
        if not record.row.job_id:
            return msgspec.structs.replace(record, note="it has no job yet")
        return _described(record, await self._description(manager, record))

    async def _description(self, manager: Manager, record: JobRecord) -> Description:
        row = record.row
        try:
            async with asyncio.timeout(DESCRIBE_S):
                return await manager.introspection.describe(bytes.fromhex(row.task_id), row.job_id)
        except TimeoutError:
            return Description(note=f"AWS Batch did not describe the job within {DESCRIBE_S:.0f} s")


def _described(record: JobRecord, found: Description) -> JobRecord:
    """What the engine knows, with what Batch says on top."""
    return msgspec.structs.replace(
        record,
        attempts=found.attempts,
        attempts_allowed=found.attempts_allowed,
        vcpus=found.vcpus or record.vcpus,
        memory_mib=found.memory_mib or record.memory_mib,
        gpus=found.gpus or record.gpus,
        status_reason=found.status_reason or record.status_reason,
        log_group=found.log_group,
        log_stream=found.log_stream or record.log_stream,
        described=found.text,
        described_at=found.at or None,
        note=found.note,
    )
