"""Answers to view requests: nothing here changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from engine.jobs.trends import sum_trends
from engine.model import Description
from engine.telemetry.schema.failures import make_failures
from engine.telemetry.schema.messages import (
    PAGE_LIMIT,
    TREND_WINDOWS,
    Answer,
    Diagnose,
    Events,
    Failures,
    FullState,
    GetEvents,
    GetFailures,
    GetFullState,
    GetGroups,
    GetJob,
    GetJobPage,
    GetLanes,
    GetLogs,
    GetRows,
    GetTrends,
    Hello,
    Job,
    JobPage,
    JobRecord,
    JobRow,
    LogPage,
    Refusal,
    Request,
    Trends,
    Welcome,
)
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.diagnosis_answers import diagnose
from engine.telemetry.server.jobs.group_answers import GroupAnswers
from engine.telemetry.server.jobs.lane_answers import LaneAnswers
from engine.telemetry.server.jobs.pages import PageCache
from engine.telemetry.server.logs.watch import LogWatch
from engine.telemetry.server.publisher import Publisher
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder

DESCRIBE_TIMEOUT_S: Final = 3.0
"""For AWS to describe a job; then the answer goes without."""


class ViewAnswers:
    """Handler of view requests. `may_control` tells of a frame whether its sender may use the control socket."""

    def __init__(
        self,
        builder: SnapshotBuilder,
        publisher: Publisher,
        logs: LogWatch,
        rate_limiter: RateLimiter,
        may_control: Callable[[zmq.Frame], bool],
    ) -> None:
        self._builder = builder
        self._publisher = publisher
        self._logs = logs
        self._rate_limiter = rate_limiter
        self._may_control = may_control
        self._windows = PageCache(self._rows, builder.clock)
        self._groups = GroupAnswers(builder, rate_limiter)
        self._lanes = LaneAnswers(builder, rate_limiter)

    async def answer(self, request: Request, frame: zmq.Frame) -> Answer:
        """Answer a request. Raises `QueryError`, whose text is the refusal."""
        self._builder.note_viewer()
        match request:
            case Hello():
                return self._welcome(frame)
            case GetFullState():
                return self._full_state()
            case GetJobPage():
                self._check_manager(request.manager)
                return await self._windows.get(request)
            case GetGroups():
                self._check_manager(request.manager)
                return await self._groups.get(request)
            case GetLanes():
                self._check_manager(request.manager)
                return await self._lanes.get(request)
            case GetRows():
                return self._rows_of(request)
            case GetEvents():
                return Events(self._publisher.engine, self._builder.journal.after(request.after))
            case GetFailures():
                return self._failures(request)
            case GetJob():
                return Job(await self._record(request.task_id))
            case GetLogs():
                return self._log_page(request)
            case GetTrends():
                return self._trends(request)
            case Diagnose():
                return diagnose(request, self._builder)
            case _:
                return Refusal("this socket only shows: ask for changes at the engine's control socket")

    def _welcome(self, frame: zmq.Frame) -> Welcome:
        vitals = self._builder.vitals.read(self._builder.viewers())
        return Welcome(self._publisher.engine, vitals, tuple(self._builder.managers), self._may_control(frame))

    def _full_state(self) -> FullState:
        with self._rate_limiter.charge():
            return self._publisher.full_state()

    def _rows(self) -> list[JobRow]:
        with self._rate_limiter.charge():
            return self._builder.rows()

    def _rows_of(self, request: GetRows) -> JobPage:
        with self._rate_limiter.charge():
            found = self._builder.find_rows(request.task_ids[:PAGE_LIMIT])
        return JobPage(tuple(found), len(found), self._builder.kept, self._builder.clock())

    def _log_page(self, request: GetLogs) -> LogPage:
        self._check_manager(request.manager)
        with self._rate_limiter.charge():
            return self._logs.page(request)

    def _trends(self, request: GetTrends) -> Trends:
        self._check_manager(request.manager)
        if request.window not in TREND_WINDOWS:
            raise QueryError(f"there is no trend over {request.window}: ask for {', '.join(TREND_WINDOWS)}")
        managers = self._builder.managers
        wanted = [managers[request.manager]] if request.manager else managers.values()
        return sum_trends(manager.registry.trends.window(request.window) for manager in wanted)

    def _failures(self, request: GetFailures) -> Failures:
        self._check_manager(request.manager)
        with self._rate_limiter.charge():
            found = [
                failure
                for name, manager in self._builder.managers.items()
                if request.manager in ("", name)
                for failure in manager.registry.failures.failures()
            ]
            return make_failures(found, request, self._builder.clock())

    def _check_manager(self, name: str) -> None:
        if name and name not in self._builder.managers:
            raise QueryError(f"there is no worker manager {name} here: there is {', '.join(self._builder.managers)}")

    # ---- one job

    async def _record(self, prefix: str) -> JobRecord:
        manager, task_id = self._builder.find_task(prefix)
        config, record = manager.config, manager.registry.record(task_id)
        assert record is not None
        record = msgspec.structs.replace(record, queue=config.job_queue, definition=config.job_definition)
        if not record.row.job_id:
            return msgspec.structs.replace(record, note="it has no job yet")
        return _add_description(record, await self._description(manager, record))

    async def _description(self, manager: Manager, record: JobRecord) -> Description:
        row = record.row
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT_S):
                return await manager.introspection.describe(bytes.fromhex(row.task_id), row.job_id)
        except TimeoutError:
            return Description(note=f"AWS Batch did not describe the job within {DESCRIBE_TIMEOUT_S:.0f} s")


def _add_description(record: JobRecord, found: Description) -> JobRecord:
    """Lay what Batch says over what the engine knows."""
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
