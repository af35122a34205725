"""Addresses of a job in AWS's own console: its log stream and its page, whole, to be opened or copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from console.aws_urls import batch_job_url, log_stream_url
from console.foreign_text import clean
from console.tui.clipboard import copy
from console.tui.logs.outside import leave_console, print_text
from console.tui.screens.base import ConsoleScreen
from engine.telemetry.schema.messages import Answer, GetJob, Job, JobRecord, Refusal

NO_JOB_YET: Final = "it has no job yet, so AWS's console has nothing of it"


def print_urls(screen: ConsoleScreen, task_id: str) -> None:
    """Print and copy where AWS's console has the task's log and job."""

    def show(answer: Answer) -> None:
        if isinstance(answer, Refusal):
            screen.notify(answer.text, severity="warning", markup=False)
        elif isinstance(answer, Job):
            lines = list(_lines(screen, answer.record)) or [NO_JOB_YET]
            text = "\n".join(map(clean, lines))
            copied = copy(text, screen.app.copy_to_clipboard)
            leave_console(screen.app, print_text, f"{text}\n\n{copied}", f"{text}\n{copied}")

    screen.state.source.ask(GetJob(task_id), show)


def _lines(screen: ConsoleScreen, record: JobRecord) -> Iterator[str]:
    manager = next((one for one in screen.state.managers if one.manager == record.row.manager), None)
    region, endpoint = ("", "") if manager is None else (manager.region, manager.endpoint)
    if endpoint:
        yield f"{endpoint} stands in for AWS, and has no console"
    if record.log_stream:
        yield f"log group   {record.log_group}"
        yield f"log stream  {record.log_stream}"
    if region and not endpoint:
        if record.log_group and record.log_stream:
            yield log_stream_url(region, record.log_group, record.log_stream)
        if record.row.job_id:
            yield batch_job_url(region, record.row.job_id)
