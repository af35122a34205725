"""Answers of the made-up engine: windows, records, logs, trends; control requests always succeed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.telemetry.schema.messages import (
    ENDED,
    Answer,
    Attempt,
    CancelJobs,
    Diagnose,
    Diagnosed,
    Done,
    Events,
    GetEvents,
    GetFailures,
    GetGroups,
    GetJob,
    GetJobPage,
    GetLanes,
    GetLogs,
    GetRows,
    GetTrends,
    Job,
    JobPage,
    JobRecord,
    JobRow,
    JobState,
    LogLine,
    LogPage,
    LogStatus,
    Refusal,
    Request,
    Transition,
)
from engine.telemetry.schema.query import QueryError, make_page
from engine.telemetry.tally.failures import failures_of_rows
from engine.telemetry.tally.lanes import lanes_of_rows
from engine.telemetry.tally.row_groups import group_rows
from tests.support.console.demo.diagnosis import nothing_stuck, without_capacity
from tests.support.console.demo.events import demo_events
from tests.support.console.demo.figures import DemoFigures

LOG_LINES_PER_SECOND: Final = 12
LOG_TEXTS: Final = (
    "INFO  payload decoded in 3 ms, 21.0 KiB",
    "INFO  function loaded from the cache",
    "DEBUG rss 212 MiB after imports",
    "WARNING spot interruption notice received, 120 s left",
    "INFO  task done, wall 1.03 s, cpu 0.97 s",
    "ERROR Host EC2 (instance i-0ab31c) is about to go",
)


class DemoAnswers:
    """Answers from the same rows and figures that are published."""

    def __init__(self, rows: Mapping[str, JobRow], figures: DemoFigures) -> None:
        self._rows, self._figures = rows, figures
        self._begun: float | None = None

    def answer(self, request: Request, now: float) -> Answer:
        if isinstance(request, GetJobPage):
            return self._window(request, now)
        if isinstance(request, GetEvents):
            return Events("demo", tuple(event for event in demo_events(now, self._rows) if event.seq > request.after))
        if isinstance(request, GetFailures):
            return failures_of_rows(self._rows.values(), request, now)
        if isinstance(request, GetGroups):
            found = group_rows(self._rows.values(), request, now)
            return msgspec.structs.replace(found, rows_only=bool(request.filter))
        if isinstance(request, GetRows):
            rows = tuple(self._rows[task_id] for task_id in request.task_ids if task_id in self._rows)
            return JobPage(rows, len(rows), len(self._rows), now)
        if isinstance(request, GetLanes):
            return lanes_of_rows(self._rows.values(), request, now)
        if isinstance(request, GetTrends):
            return self._figures.trends(request.window, now)
        if isinstance(request, GetLogs):
            return self._logs(request, now)
        if isinstance(request, GetJob):
            return self._job(request.task_id)
        if isinstance(request, Diagnose):
            return self._diagnosed(request, now)
        if isinstance(request, CancelJobs):
            return Done(f"{len(request.task_ids)} jobs are being ended")
        return Done("done")

    def _window(self, request: GetJobPage, now: float) -> Answer:
        try:
            return make_page(self._rows.values(), request, now)
        except QueryError as error:
            return Refusal(str(error))

    def _job(self, task_id: str) -> Answer:
        row = self._rows.get(task_id)
        return Refusal(f"no job {task_id[:8]} is known") if row is None else Job(_record(row))

    def _diagnosed(self, request: Diagnose, now: float) -> Answer:
        found = [row for task_id, row in self._rows.items() if request.task_id and task_id.startswith(request.task_id)]
        if request.task_id and not found:
            return Refusal(f"no task {request.task_id} is known here: it never came, or ended long ago")
        waiting = found or [row for row in self._rows.values() if row.state is JobState.RUNNABLE]
        subject = (
            f"job {found[0].job_id} in queue {request.manager}-queue" if found else f"queue {request.manager}-queue"
        )
        return Diagnosed(without_capacity(now, subject) if waiting else nothing_stuck(now, subject))

    def _logs(self, request: GetLogs, now: float) -> LogPage:
        self._begun = now if self._begun is None else self._begun
        newest = int((now - self._begun) * LOG_LINES_PER_SECOND) + LOG_LINES_PER_SECOND
        first = max(request.after + 1, newest - request.limit)
        ids = request.task_ids or tuple(key for key, row in self._rows.items() if row.state is JobState.RUNNING)[:6]
        lines = tuple(_log_line(seq, self._begun, ids) for seq in range(first, newest)) if ids else ()
        kind, detail = (LogStatus.STREAMING, "") if ids else (LogStatus.EMPTY, "no job runs")
        watch = ",".join(request.task_ids) or "running"
        text = kind.describe(detail)
        return LogPage(watch, lines, max(newest - 1, request.after), 0, 1.1, len(ids), text, kind)


def _log_line(seq: int, begun: float, ids: tuple[str, ...]) -> LogLine:
    return LogLine(seq, begun + seq / LOG_LINES_PER_SECOND, ids[seq % len(ids)], LOG_TEXTS[seq % len(LOG_TEXTS)])


def _record(row: JobRow) -> JobRecord:
    begun = row.state is JobState.RUNNING or row.state in ENDED
    way = [Transition(JobState.QUEUED, row.created), Transition(JobState.SUBMITTED, row.created + 0.4, "array of 100")]
    way += (
        [Transition(row.state, row.since, row.reason)] if row.state not in (JobState.QUEUED, JobState.SUBMITTED) else []
    )
    return JobRecord(
        row=row,
        client="quant-07",
        queue=f"{row.manager}-queue",
        definition="scaler-worker:41",
        index=int(row.job_id.rpartition(":")[2]) if ":" in row.job_id else None,
        transitions=tuple(way),
        attempts=(Attempt(row.since - 2, row.since, row.exit_code, row.reason, "scaler/default/0f3c"),)
        if begun
        else (),
        attempts_allowed=3,
        vcpus=2,
        memory_mib=4096,
        submission="7f3a9c",
        submission_tasks=100,
        submission_raw_bytes=row.raw_bytes * 100,
        submission_wire_bytes=row.wire_bytes * 100,
        why_route=f"{row.route}: {row.raw_bytes:,} bytes of payload were measured against a limit of 24,576",
        status_reason=row.reason,
        peak_bytes=212_000_000 if begun else None,
        cpu_s=row.duration_s,
        log_group="/aws/batch/job",
        log_stream="scaler/default/0f3c" if begun else "",
        described=_described(row) if begun else "",
        described_at=row.since if begun else None,
        error=row.reason if row.state is JobState.FAILED else "",
    )


def _described(row: JobRow) -> str:
    job = {
        "jobId": row.job_id,
        "status": row.state.value,
        "statusReason": row.reason,
        "parameters": {"payload": "(hidden)", "store": "s3://scaler-eu/scaler-tasks"},
        "container": {"image": "scaler-worker@sha256:9be1", "vcpus": 2, "memory": 4096, "exitCode": row.exit_code},
    }
    return msgspec.json.format(msgspec.json.encode(job)).decode()
